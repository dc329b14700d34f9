using System.Net;
using System.Net.Sockets;
using Aggregator.Datagrams;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Links;
using Aggregator.Interop;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Packets;

/// <summary>A UDP socket that is tied to a WAN and to the VPS. Its reading ends with it.</summary>
internal sealed class WanOutlet : IUdpOutlet, IDisposable
{
    /// <summary>IP's and UDP's.</summary>
    private const int V4HeaderBytes = 28;
    private const int V6HeaderBytes = 48;

    private readonly Socket _socket;
    private readonly Task _reading;

    private WanOutlet(Wan wan, IPEndPoint vps, Socket socket, UdpLanes lanes)
    {
        Key = new WanOutletKey(wan.Interface, wan.Index, vps.AddressFamily == AddressFamily.InterNetwork ? wan.V4 : wan.V6, vps);
        _socket = socket;
        _reading = ReadAsync(lanes);
    }

    /// <summary>What it was made for; another socket is needed when that changes.</summary>
    internal WanOutletKey Key { get; }

    /// <summary>Null: the WAN has gone again, or its address has.</summary>
    internal static WanOutlet? TryOpen(Wan wan, IPEndPoint vps, UdpLanes lanes)
    {
        var source = vps.AddressFamily == AddressFamily.InterNetwork ? wan.V4 : wan.V6;
        var socket = new Socket(vps.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            WanSocket.Bind(socket, wan.Interface, source!);
            SocketBuffers.SetReceive(socket.SafeHandle, UdpLanes.ReceiveBufferBytes);
            SocketBuffers.SetSend(socket.SafeHandle, UdpLanes.SendBufferBytes);
            socket.Connect(vps);
            // What finds no room is lost: a packet that waits is worth less than the next.
            socket.Blocking = false;
            return new WanOutlet(wan, vps, socket, lanes);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    public void Send(ReadOnlySpan<byte> datagram)
    {
        try
        {
            _ = _socket.Send(datagram, SocketFlags.None, out _);
        }
        catch (ObjectDisposedException)
        {
            // Its WAN is being taken away; the lane hears of it in a moment.
        }
    }

    public int LongestBytes
    {
        get
        {
            try
            {
                return SocketOptions.PathMtuBytes(_socket) - (_socket.AddressFamily == AddressFamily.InterNetwork ? V4HeaderBytes : V6HeaderBytes);
            }
            catch (Exception e) when (e is LibcException or ObjectDisposedException)
            {
                return 0;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private async Task ReadAsync(UdpLanes lanes)
    {
        byte[] datagram = new byte[UdpLanes.LongestDatagramBytes];
        byte[] scratch = new byte[UdpLanes.LongestDatagramBytes];
        while (true)
        {
            try
            {
                int count = await _socket.ReceiveAsync(datagram, SocketFlags.None);
                lanes.Receive(datagram.AsSpan(0, count), scratch);
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
                // An ICMP error (nobody listens, no way), or a datagram that is longer than ours. Each comes once.
            }
        }
    }
}

/// <param name="Source">The WAN's address.</param>
internal readonly record struct WanOutletKey(string Interface, int Index, IPAddress? Source, IPEndPoint Vps);
