using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// Where a client of a transparent listener wanted to go: the local end of its connection, as the kernel has it. Socket.LocalEndPoint does not do:
/// .NET gives an accepted socket the listener's own address when that is not a wildcard.
/// </summary>
internal static class OriginalDestination
{
    /// <summary>Null: the connection is gone.</summary>
    internal static unsafe IPEndPoint? TryRead(Socket accepted)
    {
        byte* address = stackalloc byte[Libc.SockaddrStorageBytes];
        uint length = Libc.SockaddrStorageBytes;
        return Libc.getsockname(accepted.SafeHandle, address, &length) == 0
            ? SubflowAddress.Parse(new ReadOnlySpan<byte>(address, (int)Math.Min(length, Libc.SockaddrStorageBytes))).ToEndPoint()
            : null;
    }
}
