using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Speed;

/// <summary>ICMP echo over one WAN at a steady pace, whether answers come or not, so that it sees losses and queues as they are.</summary>
internal static class IcmpProbe
{
    /// <summary>Fifty a second of 44 bytes: nothing to any line, and five in a tenth of a second of full queue.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>A number that comes again after 21 minutes.</summary>
    private const int Numbers = 1 << 16;

    /// <summary>Until cancelled, or the WAN has gone. Where this process may not send ICMP it returns at once, with nothing in the log.</summary>
    internal static async Task RunAsync(string device, IPAddress source, IPAddress target, ProbeLog log, SpeedClock clock, CancellationToken cancellationToken)
    {
        ulong token = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        try
        {
            if (EchoSocket.TryOpenSocket(device, source, out bool raw) is not { } socket)
            {
                return;
            }

            using (socket)
            {
                using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                await Task.WhenAll(
                    ReceiveAsync(socket, raw && target.AddressFamily == AddressFamily.InterNetwork, target.AddressFamily, token, log, clock, ending.Token),
                    SendAsync(socket, target, token, log, clock, ending));
            }
        }
        catch (SocketException)
        {
            // The WAN is gone; the measurement over it says so.
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Whatever ends it ends the receiver.</summary>
    private static async Task SendAsync(Socket socket, IPAddress target, ulong token, ProbeLog log, SpeedClock clock, CancellationTokenSource ending)
    {
        try
        {
            await SendAsync(socket, target, token, log, clock, ending.Token);
        }
        finally
        {
            await ending.CancelAsync();
        }
    }

    private static async Task SendAsync(Socket socket, IPAddress target, ulong token, ProbeLog log, SpeedClock clock, CancellationToken cancellationToken)
    {
        byte[] packet = new byte[EchoPacket.Bytes];
        var to = new IPEndPoint(target, 0);
        using var timer = new PeriodicTimer(Interval, clock.Time);
        do
        {
            int number = log.Send(clock.NowS);
            EchoPacket.Write(packet, target.AddressFamily, (ushort)number, token);
            try
            {
                await socket.SendToAsync(packet, SocketFlags.None, to, cancellationToken);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.NoBufferSpaceAvailable)
            {
                // Our own queue is full: lost like any other.
            }
        }
        while (await timer.WaitForNextTickAsync(cancellationToken));
    }

    private static async Task ReceiveAsync(
        Socket socket, bool withHeader, AddressFamily family, ulong token, ProbeLog log, SpeedClock clock, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[256];
        while (true)
        {
            try
            {
                int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
                double now = clock.NowS;
                if (EchoPacket.TryReadReply(buffer.AsSpan(0, length), family, withHeader, token, out ushort sequence))
                {
                    // The latest probe with this number.
                    int last = log.Sent - 1;
                    log.Answer(last - ((ushort)last - sequence + Numbers) % Numbers, now);
                }
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.MessageSize)
            {
                // Not ours.
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
