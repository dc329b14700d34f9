using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Vps.Listener;

/// <summary>The one port: MPTCP where the kernel has it (plain TCP clients are taken too), both families where the host has both.</summary>
internal static class ListenSocket
{
    /// <summary>Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn.</summary>
    private const int Backlog = 4096;

    /// <param name="warn">Told in one sentence what the host lacks.</param>
    /// <exception cref="ListenException">The port cannot be had; one line that says why and what to do.</exception>
    internal static Socket Open(IPEndPoint endPoint, Action<string> warn)
    {
        try
        {
            return OpenEither(endPoint, warn);
        }
        catch (Exception e) when (endPoint.Address.Equals(IPAddress.IPv6Any) && IsWithoutIPv6(e))
        {
            warn($"this host has no IPv6: listening on 0.0.0.0:{endPoint.Port} only");
            endPoint = new IPEndPoint(IPAddress.Any, endPoint.Port);
        }
        catch (SocketException e)
        {
            throw Explain(endPoint, e);
        }

        try
        {
            return OpenEither(endPoint, warn);
        }
        catch (SocketException e)
        {
            throw Explain(endPoint, e);
        }
    }

    private static Socket OpenEither(IPEndPoint endPoint, Action<string> warn)
    {
        try
        {
            return MptcpSocket.Listen(endPoint, Backlog, CongestionChoice.Wait);
        }
        catch (LibcException e) when (e.Errno is Libc.EPROTONOSUPPORT or Libc.ENOPROTOOPT or Libc.EINVAL)
        {
            warn("MPTCP is not available on this host (see net.mptcp.enabled): gateways reach it over one line each");
        }

        return StreamSockets.Listen(
            StreamSockets.Create(endPoint.AddressFamily, protocol: 0, "socket"), endPoint, Backlog, CongestionChoice.Wait);
    }

    private static bool IsWithoutIPv6(Exception e) =>
        e is LibcException { Errno: Libc.EAFNOSUPPORT } or SocketException { SocketErrorCode: SocketError.AddressNotAvailable };

    private static ListenException Explain(IPEndPoint endPoint, SocketException e) => new(e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse =>
            $"{endPoint} is in use by another program; stop it (`ss -tlnp` shows which it is) or choose another port in `listen`",
        SocketError.AccessDenied =>
            $"no permission to listen on {endPoint}; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        SocketError.AddressNotAvailable =>
            $"{endPoint.Address} is no address of this host; `listen: \"[::]:{endPoint.Port}\"` takes all of them",
        _ => $"cannot listen on {endPoint}: {e.Message}",
    });
}

/// <summary>The port cannot be had. The message is one line for the user.</summary>
internal sealed class ListenException(string message) : Exception(message);
