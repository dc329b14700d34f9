using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Datagrams;
using Aggregator.Interop;
using Aggregator.Vps.Configuration;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Packets;

/// <summary>
/// The VPS's one UDP port, for the datagram lanes of all gateways; beside the TCP port, with the same number. A datagram that no session's key opens is dropped without
/// a word, so nobody learns that there is anything. Opened when the first gateway asks.
/// </summary>
internal sealed class UdpServer(VpsConfigSource config, ILogger<UdpServer> logger) : IDisposable
{
    private readonly ConcurrentDictionary<uint, UdpLanes> _sessions = new();
    private readonly Lock _lock = new();
    private Socket? _socket;

    /// <summary>Datagrams of no session.</summary>
    internal long Strange { get; private set; }

    /// <returns>The port; or why there is none.</returns>
    internal (int Port, string? Problem) Open()
    {
        lock (_lock)
        {
            if (_socket is not null)
            {
                return (((IPEndPoint)_socket.LocalEndPoint!).Port, null);
            }

            var listen = config.Current.Listen;
            var socket = new Socket(listen.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            try
            {
                if (listen.AddressFamily == AddressFamily.InterNetworkV6)
                {
                    socket.DualMode = listen.Address.Equals(IPAddress.IPv6Any);
                }

                // For all gateways together.
                SocketBuffers.SetReceive(socket.SafeHandle, 2 * UdpLanes.ReceiveBufferBytes);
                SocketBuffers.SetSend(socket.SafeHandle, 2 * UdpLanes.SendBufferBytes);
                socket.Bind(listen);
                socket.Blocking = false;
            }
            catch (SocketException e)
            {
                socket.Dispose();
                return (0, $"UDP port {listen.Port} cannot be opened on the VPS ({e.SocketErrorCode}): end what uses it");
            }

            _socket = socket;
            logger.UdpOpen(socket.LocalEndPoint!.ToString()!);
#pragma warning disable CA2025 // The socket's end is the reader's.
            _ = ReadAsync(socket);
#pragma warning restore CA2025
            return (listen.Port, null);
        }
    }

    /// <summary>A number that no session has.</summary>
    internal uint NewSession()
    {
        uint session;
        do
        {
            session = (uint)RandomNumberGenerator.GetInt32(1, int.MaxValue);
        }
        while (_sessions.ContainsKey(session));
        return session;
    }

    internal void Add(uint session, UdpLanes lanes) => _sessions[session] = lanes;

    internal void Remove(uint session) => _sessions.TryRemove(session, out _);

    public void Dispose()
    {
        lock (_lock)
        {
            _socket?.Dispose();
        }
    }

    private async Task ReadAsync(Socket socket)
    {
        byte[] datagram = new byte[UdpLanes.LongestDatagramBytes];
        byte[] scratch = new byte[UdpLanes.LongestDatagramBytes];
        var from = new SocketAddress(socket.AddressFamily);
        Func<SocketAddress, IUdpOutlet> open = address => new GatewayOutlet(socket, address);
        while (true)
        {
            try
            {
                int count = await socket.ReceiveFromAsync(datagram, SocketFlags.None, from);
                var bytes = datagram.AsSpan(0, count);
                if (UdpCipher.SessionOf(bytes) is not { } session || !_sessions.TryGetValue(session, out var lanes))
                {
                    Strange++;
                    continue;
                }

                int lane = lanes.Receive(bytes, scratch);
                if (lane >= 0)
                {
                    lanes.Follow(lane, from, open);
                }
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.NotSocket or SocketError.Interrupted)
            {
                return;
            }
            catch (SocketException)
            {
                // Longer than ours are, or an ICMP error of some answer. Each comes once.
            }
            catch (Exception e)
            {
                // One bad datagram must not end the lanes of all.
                logger.UdpFault(e);
            }
        }
    }

    /// <summary>To where a gateway's lane came from last.</summary>
    private sealed class GatewayOutlet : IUdpPeerOutlet
    {
        private readonly Socket _socket;

        internal GatewayOutlet(Socket socket, SocketAddress from)
        {
            _socket = socket;
            Address = new SocketAddress(from.Family, from.Size);
            from.Buffer.Span[..from.Size].CopyTo(Address.Buffer.Span);
        }

        public SocketAddress Address { get; }

        /// <summary>The socket speaks to all gateways: of one's way it knows nothing.</summary>
        public int LongestBytes => 0;

        public void Send(ReadOnlySpan<byte> datagram)
        {
            try
            {
                _ = _socket.SendTo(datagram, SocketFlags.None, Address);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // No room, or no way: lost, as datagrams are. Its lane is silent then.
            }
        }
    }
}
