using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// One UDP association (RFC 1928 section 7): a socket towards the client, and one of each family, when first needed, whose datagrams go through the VPS.
/// Only the TCP connection's client is heard, from one port: the one that it announced, or the first it sends from. Fragments are dropped.
/// Ends with the TCP connection, or when it was idle for long.
/// </summary>
internal sealed class SocksAssociation : IDisposable
{
    private readonly IDatagramWay _way;
    private readonly AssociationLimits _limits;
    private readonly TimeProvider _time;
    private readonly FlowRegistry _flows;
    private readonly byte[] _clientAddress;
    private readonly DatagramSocket _client;
    private readonly AssociationNames _names;
    private readonly CancellationTokenSource _ending;
    private readonly Lock _lock = new();
    private readonly List<Task> _pumps = [];

    /// <summary>The client's sockaddr; its port 0: not known yet.</summary>
    private readonly byte[] _peer = new byte[DatagramSocket.AddressBytes];
    private DatagramSocket? _v4;
    private DatagramSocket? _v6;
    private bool _isEnding;
    private volatile bool _hasPeer;
    private long _lastActive;

    /// <param name="client">The TCP connection's other end.</param>
    /// <param name="local">Its end here: there, at another port, datagrams are taken.</param>
    /// <param name="announced">DST.ADDR and DST.PORT of the request.</param>
    /// <exception cref="SocketException">No socket can be had.</exception>
    internal SocksAssociation(
        IPEndPoint client, IPAddress local, FlowTarget announced, IDatagramWay way, AssociationLimits limits, FlowRegistry flows, TimeProvider time,
        CancellationToken ending)
    {
        (_way, _limits, _flows, _time) = (way, limits, flows, time);
        _ending = CancellationTokenSource.CreateLinkedTokenSource(ending);
        var address = Bare(client.Address);
        _clientAddress = address.GetAddressBytes();
        uint scope = address.AddressFamily == AddressFamily.InterNetworkV6 ? (uint)address.ScopeId : 0;
        ushort port = AnnouncedPort(address, announced);
        DatagramSocket.WriteAddress(_peer, _clientAddress, port, scope);
        _hasPeer = port != 0;
        _client = new DatagramSocket(new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp));
        try
        {
            Bound(_client.Socket, limits);
            _client.Socket.Bind(new IPEndPoint(Bare(local), 0));
            LocalEndPoint = (IPEndPoint)_client.Socket.LocalEndPoint!;
        }
        catch
        {
            Dispose();
            throw;
        }

        _names = new AssociationNames(way, limits, time, Send, _ending.Token);
        _lastActive = time.GetTimestamp();
    }

    /// <summary>BND.ADDR and BND.PORT.</summary>
    internal IPEndPoint LocalEndPoint { get; } = null!;

    /// <summary>Until the client ends its connection, is silent for long, or all flows end.</summary>
    internal async Task RunAsync(IByteStream control)
    {
        lock (_lock)
        {
            _pumps.Add(PumpAsync(_client, FromClient));
        }

        var idle = WatchAsync();
        try
        {
            byte[] nothing = new byte[64];

            // What a client says here has no meaning; its end has.
            while (await control.ReadAsync(nothing, _ending.Token) > 0)
            {
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The connection broke, or we end it.
        }
        finally
        {
            Task[] pumps;
            lock (_lock)
            {
                _isEnding = true;
                pumps = [.. _pumps, idle];
            }

            await _ending.CancelAsync();
            await Task.WhenAll(pumps);
        }
    }

    public void Dispose()
    {
        _client.Dispose();
        _v4?.Dispose();
        _v6?.Dispose();
        _ending.Dispose();
    }

    /// <summary>
    /// Clients say here from which port they will send, or nothing (zeros). Some repeat what they want to reach, so a foreign address is no promise.
    /// </summary>
    private static ushort AnnouncedPort(IPAddress client, FlowTarget announced) =>
        announced.Address is { } address && (address.Equals(client) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? announced.Port : (ushort)0;

    private static IPAddress Bare(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static void Bound(Socket socket, AssociationLimits limits)
    {
        socket.SendBufferSize = limits.SocketBytes;
        socket.ReceiveBufferSize = limits.SocketBytes;
    }

    private async Task WatchAsync()
    {
        try
        {
            while (true)
            {
                var rest = _limits.Idle - _time.GetElapsedTime(Volatile.Read(ref _lastActive));
                if (rest <= TimeSpan.Zero)
                {
                    await _ending.CancelAsync();
                    return;
                }

                await Task.Delay(rest, _time, _ending.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // It ends anyway.
        }
    }

    private async Task PumpAsync(DatagramSocket socket, Reader take)
    {
        try
        {
            while (true)
            {
                await socket.WaitAsync(_ending.Token);
                byte[] buffer = ArrayPool<byte>.Shared.Rent(SocksDatagram.MaxHeaderBytes + ushort.MaxValue);
                try
                {
                    Drain(socket, buffer, take);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It ends; or the way out is gone, and this family with it.
        }
    }

    private void Drain(DatagramSocket socket, byte[] buffer, Reader take)
    {
        Span<byte> sender = stackalloc byte[DatagramSocket.AddressBytes];
        for (int i = 0; i < _limits.Batch; i++)
        {
            int count = socket.Receive(buffer.AsSpan(SocksDatagram.MaxHeaderBytes), sender);
            if (count < 0)
            {
                return;
            }

            take(buffer, count, sender);
        }
    }

    private void FromClient(byte[] buffer, int count, ReadOnlySpan<byte> sender)
    {
        var datagram = buffer.AsSpan(SocksDatagram.MaxHeaderBytes, count);
        if (!DatagramSocket.Address(sender).SequenceEqual(_clientAddress)
            || (_hasPeer && DatagramSocket.Port(sender) != DatagramSocket.Port(_peer))
            || !SocksDatagram.TryRead(datagram, out var target))
        {
            return;
        }

        if (!_hasPeer)
        {
            sender.CopyTo(_peer);
            _hasPeer = true;
        }

        _lastActive = _time.GetTimestamp();
        ReadOnlySpan<byte> payload = datagram[target.End..];
        if (target.Type == SocksDatagram.Name)
        {
            _names.Send(target.Address(datagram), target.Port, payload);
            return;
        }

        Span<byte> to = stackalloc byte[DatagramSocket.AddressBytes];
        DatagramSocket.WriteAddress(to, V4Of(target.Address(datagram)), target.Port);
        Send(payload, to);
    }

    /// <summary>::ffff:a.b.c.d is another spelling of a.b.c.d (RFC 4291 section 2.5.5.2).</summary>
    private static ReadOnlySpan<byte> V4Of(ReadOnlySpan<byte> address) =>
        address.Length == 16 && address[..10].IndexOfAnyExcept((byte)0) < 0 && address[10] == 0xff && address[11] == 0xff ? address[12..] : address;

    private void Send(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> to)
    {
        if (Out(DatagramSocket.IsV4(to)) is { } socket && socket.Send(payload, to))
        {
            _flows.BytesUp.Add(payload.Length);
        }
    }

    private void FromAfar(byte[] buffer, int count, ReadOnlySpan<byte> sender)
    {
        _lastActive = _time.GetTimestamp();
        if (!_hasPeer)
        {
            return;
        }

        int header = SocksDatagram.WriteBefore(buffer.AsSpan(0, SocksDatagram.MaxHeaderBytes), DatagramSocket.Address(sender), DatagramSocket.Port(sender));
        if (_client.Send(buffer.AsSpan(SocksDatagram.MaxHeaderBytes - header, header + count), _peer))
        {
            _flows.BytesDown.Add(count);
        }
    }

    /// <summary>Null: there is no way out in this family at the moment; the next datagram tries again.</summary>
    private DatagramSocket? Out(bool v4)
    {
        if ((v4 ? Volatile.Read(ref _v4) : Volatile.Read(ref _v6)) is { } known)
        {
            return known;
        }

        lock (_lock)
        {
            ref var place = ref v4 ? ref _v4 : ref _v6;
            if (place is not null || _isEnding)
            {
                return place;
            }

            try
            {
                var socket = _way.Open(v4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6);
                Bound(socket, _limits);
                place = new DatagramSocket(socket);
                _pumps.Add(PumpAsync(place, FromAfar));
                return place;
            }
            catch (Exception e) when (e is SocketException or LibcException)
            {
                return null;
            }
        }
    }

    private delegate void Reader(byte[] buffer, int count, ReadOnlySpan<byte> sender);
}
