using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Aggregator.Gateway.Links;

/// <summary>Sends echo requests over one WAN and tells the round trips of the answers, late ones included. One sender and one receiver at a time.</summary>
internal sealed class EchoSocket : IDisposable
{
    /// <summary>Answers to the latest requests count: at a probe each 250 ms, 64 s.</summary>
    private const int Outstanding = 256;

    private readonly Socket _socket;
    private readonly IPEndPoint _target;
    private readonly AddressFamily _family;
    private readonly bool _raw;
    private readonly TimeProvider _time;
    private readonly ulong _token = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private readonly long[] _departures = new long[Outstanding];
    private readonly byte[] _out = new byte[EchoPacket.Bytes];
    private readonly byte[] _in = new byte[256];
    private volatile ushort _sequence;

    private EchoSocket(Socket socket, bool raw, IPAddress target, TimeProvider time)
    {
        _socket = socket;
        _raw = raw;
        _target = new IPEndPoint(target, 0);
        _family = target.AddressFamily;
        _time = time;
    }

    /// <summary>Null when this process may make neither kind of ICMP socket (CAP_NET_RAW, net.ipv4.ping_group_range).</summary>
    /// <exception cref="SocketException">The WAN has lost its device or its address.</exception>
    internal static EchoSocket? TryOpen(string device, IPAddress source, IPAddress target, TimeProvider time) =>
        TryOpenSocket(device, source, out bool raw) is { } socket ? new EchoSocket(socket, raw, target, time) : null;

    /// <summary>An ICMP socket bound to a WAN. Null when this process may make neither kind.</summary>
    /// <param name="raw">Gets every echo reply of the host, and over IPv4 with its IP header.</param>
    /// <exception cref="SocketException">The WAN has lost its device or its address.</exception>
    internal static Socket? TryOpenSocket(string device, IPAddress source, out bool raw)
    {
        var protocol = source.AddressFamily == AddressFamily.InterNetwork ? ProtocolType.Icmp : ProtocolType.IcmpV6;
        foreach (var type in (ReadOnlySpan<SocketType>)[SocketType.Raw, SocketType.Dgram])
        {
            Socket socket;
            try
            {
                socket = new Socket(source.AddressFamily, type, protocol);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AccessDenied or SocketError.ProtocolNotSupported)
            {
                continue;
            }

            try
            {
                WanSocket.Bind(socket, device, source);
                FilterReplies(socket, type, source.AddressFamily);
                raw = type == SocketType.Raw;
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        raw = false;
        return null;
    }

    /// <returns>The request's number.</returns>
    /// <exception cref="SocketException">No route, or the interface is down.</exception>
    internal async ValueTask<ushort> SendAsync(CancellationToken cancellationToken)
    {
        ushort sequence = ++_sequence;
        Interlocked.Exchange(ref _departures[sequence % Outstanding], _time.GetTimestamp());
        EchoPacket.Write(_out, _family, sequence, _token);
        await _socket.SendToAsync(_out, SocketFlags.None, _target, cancellationToken);
        return sequence;
    }

    /// <summary>The next answer to any of the latest requests. To be waited for all the time: one that lies in the socket looks late.</summary>
    /// <exception cref="SocketException">An error came in its place (host or network unreachable), or the interface is gone.</exception>
    internal async ValueTask<EchoAnswer> ReceiveAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            int length;
            try
            {
                length = await _socket.ReceiveAsync(_in, SocketFlags.None, cancellationToken);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.MessageSize)
            {
                continue;
            }

            bool withHeader = _raw && _family == AddressFamily.InterNetwork;
            if (!EchoPacket.TryReadReply(_in.AsSpan(0, length), _family, withHeader, _token, out ushort sequence)
                || (ushort)(_sequence - sequence) >= Outstanding)
            {
                continue;
            }

            // A duplicate is no second answer.
            long departure = Interlocked.Exchange(ref _departures[sequence % Outstanding], 0);
            if (departure != 0)
            {
                return new EchoAnswer(sequence, _time.GetElapsedTime(departure));
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>A raw socket gets a copy of every ICMP packet of the host; only echo replies are of interest.</summary>
    private static void FilterReplies(Socket socket, SocketType type, AddressFamily family)
    {
        if (type != SocketType.Raw)
        {
            return;
        }

        // linux/icmp.h and linux/icmpv6.h: a set bit blocks that type.
        const int SolRaw = 255;
        const int IcmpFilter = 1;
        const int SolIcmpV6 = 58;
        const int Icmp6Filter = 1;
        const int EchoReplyV6 = 129;
        if (family == AddressFamily.InterNetwork)
        {
            socket.SetRawSocketOption(SolRaw, IcmpFilter, BitConverter.GetBytes(~1U));
        }
        else
        {
            var filter = new byte[32];
            Array.Fill(filter, (byte)0xFF);
            filter[EchoReplyV6 / 8] &= unchecked((byte)~(1 << (EchoReplyV6 % 8)));
            socket.SetRawSocketOption(SolIcmpV6, Icmp6Filter, filter);
        }
    }
}

/// <param name="Sequence">The request's number.</param>
internal readonly record struct EchoAnswer(ushort Sequence, TimeSpan RoundTrip);
