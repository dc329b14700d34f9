using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Aggregator.Datagrams;
using Aggregator.Gateway.Node;
using Aggregator.Identity;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Grpc.Net.Client;
using Shouldly;

namespace Aggregator.Network.Tests.Packets;

/// <summary>
/// A paired gateway that lies: it tells the VPS its networks and opens its lanes as ours does, and then sends whatever it is given, from whoever.
/// On the lab's gateway host, beside the real daemon.
/// </summary>
internal sealed class UnfilteredGateway : IUdpOutlet, IPacketSink, IAsyncDisposable
{
    internal const string Name = "unfiltered";

    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-unfiltered-").FullName;
    private readonly ConcurrentQueue<byte[]> _answers = new();
    private IdentityKey? _identity;
    private GrpcChannel? _channel;
    private Socket? _socket;
    private UdpLanes? _lanes;
    private UdpTicker? _ticker;
    private Task _reading = Task.CompletedTask;

    private UnfilteredGateway()
    {
    }

    public int LongestBytes => 0;

    private UdpLanes Lanes => _lanes ?? throw new InvalidOperationException("not started");

    internal static async Task<UnfilteredGateway> StartAsync(AggregatorUnderTest product, params string[] networks)
    {
        var gateway = new UnfilteredGateway();
        try
        {
            await gateway.ConnectAsync(product, networks);
            await LabTest.UntilAsync(() => gateway.Lanes.IsWell, "an answer over UDP", TimeSpan.FromSeconds(30));
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends a packet that is as it should be, but for who it says it is from.</summary>
    /// <param name="lie">Changes what is sent after it was looked at.</param>
    internal void Send(byte[] packet, Action<byte[]>? lie = null, bool isPartial = false)
    {
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        byte[] bytes = [.. packet];
        lie?.Invoke(bytes);
        Lanes.TrySend(new Packet(bytes, 0, info, new PacketMeta(GsoKind.None, 0, isPartial)), new PacketFlow(7, PacketClass.RealTime, 1)).ShouldBeTrue();
    }

    /// <summary>Sends a packet until something comes back to where it is from.</summary>
    internal async Task AskAsync(byte[] packet)
    {
        _answers.Clear();
        byte[] from = PacketInfo.Source(packet).ToArray();
        long began = Stopwatch.GetTimestamp();
        while (!_answers.Any(a => PacketInfo.Destination(a).SequenceEqual(from)))
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(30), "no answer to a packet of its own");
            Send(packet);
            await Task.Delay(100);
        }
    }

    public void Send(ReadOnlySpan<byte> datagram) => _socket!.Send(datagram);

    public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta) => _answers.Enqueue(packet.ToArray());

    public async ValueTask DisposeAsync()
    {
        if (_ticker is not null)
        {
            await _ticker.DisposeAsync();
        }

        _lanes?.Dispose();
        _socket?.Dispose();
        await _reading;
        _channel?.Dispose();
        _identity?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task ConnectAsync(AggregatorUnderTest product, string[] networks)
    {
        string state = Path.Combine(_directory, "state");
        string config = Path.Combine(_directory, "gateway.yaml");
        await File.WriteAllTextAsync(config, $"wans:\n  - interface: {product.Lab.Wans[0].Interface}\nstate: {state}\napi: {_directory}/gateway.sock\n");
        string uri = (await product.VpsCommandAsync("pair", "--name", Name)).OutputOrThrow().Trim();
        (await product.Lab.Gateway.RunAsync(ProductFiles.Gateway, "pair", uri, "--config", config)).OutputOrThrow();
        _identity = IdentityKey.LoadOrCreate(state);
        var node = PairedNode.TryLoad(state) ?? throw new InvalidOperationException("not paired");

        _channel = await ControlAsync(product.Lab.Gateway, node);
        var attach = new AttachRequest();
        attach.Networks.AddRange(networks);
        await new Protocol.V1.Packets.PacketsClient(_channel).AttachAsync(attach);
        var reply = await new DatagramLanes.DatagramLanesClient(_channel).OpenAsync(new OpenLanesRequest { Policy = RealTimePolicy.Best.Text() });
        _lanes = new UdpLanes(
            isGateway: true, new UdpCipher(reply.Session, reply.KeyFromGateway.Span, reply.KeyToGateway.Span), RealTimePolicy.Best, TimeProvider.System);
        _lanes.Receiver.Sink = this;
        _socket = product.Lab.Gateway.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        await _socket.ConnectAsync(new IPEndPoint(LabAddresses.Vps, (int)reply.Port));
        _lanes.SetOutlet(0, this, isBackup: false);
        _reading = ReadAsync(_socket, _lanes);
        _ticker = new UdpTicker(_lanes, TimeProvider.System, () => true);
    }

    private async Task<GrpcChannel> ControlAsync(LabHost host, PairedNode node)
    {
        Socket socket = host.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Vps, node.Port));
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(PinnedTls.ClientOptions(_identity!, node.Pin, PinnedTls.Grpc));
        var handler = new SocketsHttpHandler { ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(tls), UseProxy = false };
        return GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    private static async Task ReadAsync(Socket socket, UdpLanes lanes)
    {
        byte[] datagram = new byte[UdpLanes.LongestDatagramBytes];
        byte[] scratch = new byte[UdpLanes.LongestDatagramBytes];
        try
        {
            while (true)
            {
                int count = await socket.ReceiveAsync(datagram, SocketFlags.None);
                lanes.Receive(datagram.AsSpan(0, count), scratch);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }
}
