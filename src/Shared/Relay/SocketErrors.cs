using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Relay;

/// <summary>What both socket-backed streams share: their errors as <see cref="IOException"/>, and the abortive close.</summary>
internal static class SocketErrors
{
    internal static IOException Aborted() => new("The stream was aborted.");

    /// <summary>The error to throw instead; null for what is no error of a transport (a bug, a cancellation): that flies on.</summary>
    internal static IOException? TryTranslate(Exception error, bool aborted) => error switch
    {
        SocketException or ObjectDisposedException when aborted => Aborted(),
        SocketException socketError => new IOException(socketError.Message, socketError),
        ObjectDisposedException disposed => new IOException("The stream is closed.", disposed),
        _ => null,
    };

    /// <summary>As the socket's own, but a closed socket is a failed operation and not an exception at the call.</summary>
    internal static ValueTask<int> ReceiveAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
        }
        catch (ObjectDisposedException e)
        {
            return ValueTask.FromException<int>(e);
        }
    }

    /// <inheritdoc cref="ReceiveAsync"/>
    internal static ValueTask<int> SendAsync(Socket socket, ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return socket.SendAsync(buffer, SocketFlags.None, cancellationToken);
        }
        catch (ObjectDisposedException e)
        {
            return ValueTask.FromException<int>(e);
        }
    }

    /// <summary>
    /// What the kernel takes at once; 0 also for an error, which the next send meets again. Not for a socket with a send under way.
    /// A flow whose sends never wait goes without .NET's objects for those that do: 700 bytes for each of thousands that are open and idle.
    /// </summary>
    internal static unsafe int SendNow(Socket socket, ReadOnlySpan<byte> bytes)
    {
        try
        {
            fixed (byte* start = bytes)
            {
                return (int)Math.Max(0, Libc.send(socket.SafeHandle, start, (nuint)bytes.Length, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL));
            }
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>A send of a stream socket ends when all is sent (SocketAsyncContext.Unix goes on until then); less would lose bytes silently.</summary>
    internal static void CheckSent(int sent, int asked)
    {
        if (sent < asked)
        {
            throw new IOException($"The socket took {sent} of {asked} bytes.");
        }
    }

    /// <summary>Closes so that the peer sees a reset: RST, and on MPTCP one for each subflow (linger of 0 seconds).</summary>
    internal static void CloseWithReset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Reset by the peer or closed already: the close below is all that is left to do.
        }

        socket.Dispose();
    }
}
