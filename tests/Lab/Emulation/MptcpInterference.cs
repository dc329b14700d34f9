namespace Aggregator.Lab.Emulation;

/// <summary>What a box on the way does to MPTCP (RFC 8684; TCP option kind 30). The client is on the gateway's side.</summary>
[Flags]
internal enum MptcpInterference
{
    None = 0,

    /// <summary>Takes the options from SYNs of the client.</summary>
    StripSyn = 1,

    /// <summary>Takes the options from SYN/ACKs only: the client asks, and learns that the server does not know MPTCP.</summary>
    StripSynAck = 2,

    /// <summary>Takes the options from everything after the handshake, client to server.</summary>
    StripDataUp = 4,

    /// <summary>Takes the options from everything after the handshake, server to client.</summary>
    StripDataDown = 8,

    /// <summary>Takes MP_JOIN only: connections that begin here work, those that begin elsewhere cannot come here.</summary>
    StripJoin = 16,

    /// <summary>Drops SYNs with MP_JOIN.</summary>
    DropJoinSyn = 32,

    /// <summary>Drops SYNs with MP_CAPABLE.</summary>
    DropCapableSyn = 64,

    /// <summary>No MPTCP at all.</summary>
    StripAll = StripSyn | StripSynAck | StripDataUp | StripDataDown | StripJoin,
}
