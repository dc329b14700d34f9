using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Aggregator.Hosting;

/// <summary>The daemon's own gRPC on a Unix socket that only its owner may open.</summary>
internal static class LocalApiSocket
{
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>Listens on <paramref name="path"/>. What is left there from a daemon that was killed is removed: the caller holds the <see cref="InstanceLock"/>.</summary>
    /// <exception cref="IOException">The socket's directory cannot be made, something that is no socket is in the way, or a daemon answers there.</exception>
    internal static void ListenLocalApi(this IWebHostBuilder host, string path)
    {
        RemoveStale(path);
        string? directory = Path.GetDirectoryName(path);
        if (directory is not null && !Directory.Exists(directory))
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        host.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(path, o => o.Protocols = HttpProtocols.Http2));
        host.UseSockets(sockets => sockets.CreateBoundListenSocket = Bind);
    }

    private static Socket Bind(EndPoint endPoint)
    {
        if (endPoint is not UnixDomainSocketEndPoint)
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        // bind() gives the file the mode of the socket's inode (net/unix/af_unix.c), so there is no moment in which others could connect.
        if (Libc.fchmod(socket.SafeHandle, OwnerOnly) != 0)
        {
            var error = Libc.Error("fchmod");
            socket.Dispose();
            throw error;
        }

        socket.Bind(endPoint);
        return socket;
    }

    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        // Never somebody's file: a mistyped `api` must not delete anything.
        if (!Libc.IsSocket(path))
        {
            throw new IOException($"{path} exists and is no socket; change `api` or move it away");
        }

        // Nor the socket of a daemon that has another `state`, which would be deaf from then on.
        if (Answers(path))
        {
            throw new IOException($"another daemon listens on {path}; give this one its own `api`");
        }

        File.Delete(path);
    }

    private static bool Answers(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            // Refused: nobody listens. All else (its backlog is full, it is another user's) is somebody.
            return e.SocketErrorCode is not (SocketError.ConnectionRefused or SocketError.AddressNotAvailable);
        }
    }
}
