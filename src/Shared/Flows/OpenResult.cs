namespace Aggregator.Flows;

/// <summary>How the opening of a flow ended. The numbers are those on the wire (proto/flow.md).</summary>
internal enum OpenResult : byte
{
    Opened = 0,

    /// <summary>Anything without a name of its own.</summary>
    Failed = 1,

    /// <summary>The VPS's rules do not let this target be dialled.</summary>
    NotAllowed = 2,

    NetworkUnreachable = 3,
    HostUnreachable = 4,

    /// <summary>The target answered with a reset.</summary>
    Refused = 5,

    TimedOut = 6,
    NameNotFound = 7,

    /// <summary>The VPS is at a limit (flows, sockets, memory).</summary>
    Busy = 8,

    /// <summary>The gateway has no way to the VPS at present. Never on the wire.</summary>
    NoCarrier = 9,
}
