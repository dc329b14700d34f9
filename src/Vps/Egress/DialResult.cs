using System.Net.Sockets;
using Aggregator.Flows;

namespace Aggregator.Vps.Egress;

/// <param name="Result">How it ended.</param>
/// <param name="Socket">The connection, owned by the caller; null unless opened.</param>
internal readonly record struct DialResult(OpenResult Result, Socket? Socket)
{
    internal static DialResult Failed(OpenResult result) => new(result, null);

    /// <summary>What a failed connect means to whoever asked for it.</summary>
    internal static OpenResult Of(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => OpenResult.Refused,
        // A reset in answer to the SYN's successor: refused, only later.
        SocketError.ConnectionReset => OpenResult.Refused,
        SocketError.TimedOut => OpenResult.TimedOut,
        SocketError.NetworkUnreachable or SocketError.NetworkDown => OpenResult.NetworkUnreachable,
        SocketError.HostUnreachable or SocketError.HostDown => OpenResult.HostUnreachable,
        // A route or a firewall of this host that prohibits it (EACCES, EPERM).
        SocketError.AccessDenied => OpenResult.NotAllowed,
        // No descriptors, no memory, no ports left.
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable => OpenResult.Busy,
        _ => OpenResult.Failed,
    };

    /// <summary>Which of two failures of one dial tells more: what the target itself said comes first.</summary>
    internal static OpenResult MoreTelling(OpenResult a, OpenResult b) => Rank(a) >= Rank(b) ? a : b;

    private static int Rank(OpenResult result) => result switch
    {
        OpenResult.Refused => 7,
        OpenResult.HostUnreachable => 6,
        OpenResult.TimedOut => 5,
        OpenResult.NetworkUnreachable => 4,
        OpenResult.Busy => 3,
        OpenResult.NotAllowed => 2,
        OpenResult.NameNotFound => 1,
        _ => 0,
    };
}
