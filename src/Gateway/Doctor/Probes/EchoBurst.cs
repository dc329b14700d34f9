using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>
/// Many echo requests over one WAN, of any size, answers in any order. Packets are never fragmented by us nor, with IPv4's DF, on the way
/// (RFC 1191); the kernel's own idea of the path's MTU is not asked (IP_PMTUDISC_PROBE).
/// </summary>
internal sealed class EchoBurst : IDisposable
{
    // linux/in.h, linux/in6.h
    private const int IpMtuDiscover = 10;
    private const int IpV6MtuDiscover = 23;
    private const int PmtuDiscProbe = 3;

    private readonly Socket _socket;
    private readonly bool _raw;
    private readonly IPEndPoint _target;
    private readonly AddressFamily _family;
    private readonly ulong _token = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    private EchoBurst(Socket socket, bool raw, IPAddress target)
    {
        (_socket, _raw) = (socket, raw);
        _target = new IPEndPoint(target, 0);
        _family = target.AddressFamily;
    }

    /// <summary>Of an echo's IP packet without payload of ours.</summary>
    internal int LeastBytes => HeaderBytes + EchoPacket.Bytes;

    /// <summary>Null when this process may make no ICMP socket (CAP_NET_RAW, net.ipv4.ping_group_range).</summary>
    /// <exception cref="SocketException">The WAN has lost its device or its address.</exception>
    internal static EchoBurst? TryOpen(ProbePath path)
    {
        if (EchoSocket.TryOpenSocket(path.Interface, path.Source, out bool raw) is not { } socket)
        {
            return null;
        }

        try
        {
            bool v4 = path.Source.AddressFamily == AddressFamily.InterNetwork;
            socket.SetRawSocketOption(v4 ? 0 : 41, v4 ? IpMtuDiscover : IpV6MtuDiscover, BitConverter.GetBytes(PmtuDiscProbe));
            return new EchoBurst(socket, raw, path.Target.Address);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends one request whose IP packet has <paramref name="ipBytes"/> bytes.</summary>
    /// <returns>False: longer than the interface's MTU, or its queue is full.</returns>
    /// <exception cref="SocketException">No route, or the interface is down.</exception>
    internal async ValueTask<bool> SendAsync(ushort sequence, int ipBytes, CancellationToken cancellationToken)
    {
        var packet = new byte[Math.Max(ipBytes - HeaderBytes, EchoPacket.Bytes)];
        EchoPacket.Write(packet, _family, sequence, _token);
        try
        {
            await _socket.SendToAsync(packet, SocketFlags.None, _target, cancellationToken);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.MessageSize or SocketError.NoBufferSpaceAvailable)
        {
            return false;
        }
    }

    /// <summary>Tells the sequence numbers of answers until it is cancelled, a duplicate twice.</summary>
    internal async Task ReceiveAsync(Action<ushort> answered, CancellationToken cancellationToken)
    {
        // An IP packet's greatest length (RFC 791): a long echo's answer is as long.
        var buffer = new byte[ushort.MaxValue];
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                int length = await _socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
                bool withHeader = _raw && _family == AddressFamily.InterNetwork;
                if (EchoPacket.TryReadReply(buffer.AsSpan(0, length), _family, withHeader, _token, out ushort sequence))
                {
                    answered(sequence);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.HostUnreachable or SocketError.MessageSize or SocketError.ConnectionRefused)
            {
                // A router's word about one of the requests: it is then not answered.
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>IP header without options, and none of ICMP's.</summary>
    private int HeaderBytes => _family == AddressFamily.InterNetwork ? 20 : 40;
}
