using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Ingress;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>UDP ASSOCIATE with sockets of loopback on all sides: who is heard, what is answered, and how it ends.</summary>
public sealed class SocksAssociationTests
{
    private const string Zeros = "05030001" + "00000000" + "0000";

    [Fact]
    public async Task Both_families_and_names_are_echoed_with_their_senders_address_in_front()
    {
        await using var v4 = new UdpEcho(IPAddress.Loopback);
        await using var v6 = new UdpEcho(IPAddress.IPv6Loopback);
        var way = new LoopbackDatagrams();
        way.Names["echo.test"] = IPAddress.Loopback;
        await using IngressRig rig = await IngressRig.SocksAsync(way);
        using Client client = await Client.AssociateAsync(rig);

        foreach (int bytes in (int[])[0, 1, 1400, 60_000])
        {
            byte[] payload = new byte[bytes];
            new Random(bytes).NextBytes(payload);
            byte[] from4 = Header(new FlowTarget(IPAddress.Loopback, (ushort)v4.EndPoint.Port));
            (await client.ExchangeAsync(from4, payload)).ShouldBe([.. from4, .. payload]);
            byte[] from6 = Header(new FlowTarget(IPAddress.IPv6Loopback, (ushort)v6.EndPoint.Port));
            (await client.ExchangeAsync(from6, payload)).ShouldBe([.. from6, .. payload]);
            (await client.ExchangeAsync(Header(new FlowTarget("Echo.test", (ushort)v4.EndPoint.Port)), payload)).ShouldBe([.. from4, .. payload]);

            // Another spelling of an IPv4 address.
            byte[] mapped = [0, 0, 0, 4, .. IPAddress.Loopback.MapToIPv6().GetAddressBytes(), .. from4[^2..]];
            (await client.ExchangeAsync(mapped, payload)).ShouldBe([.. from4, .. payload]);
        }

        // One socket for all targets: the same port for each of them (endpoint-independent mapping), and one question for a name.
        v4.Seen.Select(s => s.From).Distinct().Count().ShouldBe(1);
        way.Asked.ShouldBe(["Echo.test"]);
    }

    [Fact]
    public async Task Datagrams_wait_for_their_names_address_within_bounds()
    {
        await using var echo = new UdpEcho(IPAddress.Loopback);
        var known = new TaskCompletionSource();
        var way = new LoopbackDatagrams { Before = () => known.Task };
        way.Names["slow.test"] = IPAddress.Loopback;
        await using IngressRig rig = await IngressRig.SocksAsync(way, new AssociationLimits { MaxWaiting = 3 });
        using Client client = await Client.AssociateAsync(rig);
        byte[] header = Header(new FlowTarget("slow.test", (ushort)echo.EndPoint.Port));
        foreach (byte i in Enumerable.Range(1, 5))
        {
            await client.SendAsync([.. header, i]);
        }

        // The five are read before a sixth that needs no name comes back.
        await client.ExchangeAsync(Header(new FlowTarget(IPAddress.Loopback, (ushort)echo.EndPoint.Port)), [6]);
        known.SetResult();
        await IngressRig.Eventually(() => echo.Seen.Count == 4);
        echo.Seen.Select(s => s.Datagram[0]).ShouldBe([6, 3, 4, 5]);
        way.Asked.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Only_the_clients_port_is_heard_and_fragments_and_rubbish_are_not()
    {
        await using var echo = new UdpEcho(IPAddress.Loopback);
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams());
        using Client client = await Client.AssociateAsync(rig);
        byte[] header = Header(new FlowTarget(IPAddress.Loopback, (ushort)echo.EndPoint.Port));
        await client.ExchangeAsync(header, [1]);
        using var stranger = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await stranger.SendToAsync((byte[])[.. header, 66], client.Relay);
        await client.SendAsync([0, 0, 1, .. header[3..], 67]);
        await client.SendAsync([0, 0, 0x81, .. header[3..], 68]);
        await client.SendAsync([]);
        await client.SendAsync(header[..6]);
        await client.SendAsync([0, 0, 0, 9, .. header[4..], 69]);
        await client.SendAsync([.. header[..^2], 0, 0, 70]);
        await client.SendAsync([0, 0, 0, 3, 0, .. header[^2..], 71]);
        await client.SendAsync([0, 0, 0, 3, 2, (byte)'/', (byte)' ', .. header[^2..], 72]);
        await client.ExchangeAsync(header, [2]);
        echo.Seen.Select(s => s.Datagram[0]).ShouldBe([1, 2]);

        // What comes from elsewhere to the way out is answered with its sender in front: the client decides.
        stranger.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead).ShouldBeFalse("the stranger gets nothing");
    }

    [Fact]
    public async Task An_announced_port_is_the_only_one()
    {
        await using var echo = new UdpEcho(IPAddress.Loopback);
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams());
        using var announced = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        announced.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)announced.LocalEndPoint!).Port;
        using Client client = await Client.AssociateAsync(rig, $"05030001" + "00000000" + port.ToString("X4", System.Globalization.CultureInfo.InvariantCulture));
        byte[] header = Header(new FlowTarget(IPAddress.Loopback, (ushort)echo.EndPoint.Port));
        await client.SendAsync([.. header, 1]);
        await announced.SendToAsync((byte[])[.. header, 2], client.Relay);
        byte[] answer = new byte[100];
        using var patience = new CancellationTokenSource(IngressRig.Patience);
        (await announced.ReceiveAsync(answer, patience.Token)).ShouldBe(header.Length + 1);
        echo.Seen.Select(s => s.Datagram[0]).ShouldBe([2]);
    }

    private static bool Binds(Socket socket, IPEndPoint to)
    {
        try
        {
            socket.Bind(to);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }

    [Fact]
    public async Task It_ends_with_its_connection()
    {
        await using var echo = new UdpEcho(IPAddress.Loopback);
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams());
        Client client = await Client.AssociateAsync(rig);
        await client.ExchangeAsync(Header(new FlowTarget(IPAddress.Loopback, (ushort)echo.EndPoint.Port)), [1]);

        // Counted when it is sent; the client may have it before.
        await IngressRig.Eventually(() => (rig.Flows.Active, rig.Flows.BytesUp.Value, rig.Flows.BytesDown.Value) == (1, 1, 1));
        IPEndPoint relay = client.Relay;
        client.Dispose();
        await IngressRig.Eventually(() => rig.Flows.Active == 0);

        // Nobody has the port any more, or in a moment.
        using var again = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await IngressRig.Eventually(() => Binds(again, relay));
    }

    [Fact]
    public async Task Without_datagrams_it_ends_by_itself()
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams(), new AssociationLimits { Idle = TimeSpan.FromMilliseconds(50) });
        using Client client = await Client.AssociateAsync(rig);
        (await client.Control.ReadToEndAsync()).ShouldBeEmpty();
        await IngressRig.Eventually(() => rig.Flows.Active == 0);
    }

    [Fact]
    public async Task A_client_has_so_many_and_no_more()
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams(), new AssociationLimits { MaxOfClient = 2 });
        using Client first = await Client.AssociateAsync(rig);
        Client second = await Client.AssociateAsync(rig);
        (await Client.ReplyAsync(rig, Zeros)).ShouldBe(SocksReply.GeneralFailure);
        second.Dispose();
        await IngressRig.Eventually(() => rig.Flows.Active == 1);
        (await Client.ReplyAsync(rig, Zeros)).ShouldBe(SocksReply.Succeeded);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 3)]
    [InlineData(2, 7)]
    public async Task What_cannot_be_carried_is_answered_with_its_reason(int state, int reply)
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new LoopbackDatagrams { State = (DatagramWayState)state });
        (await Client.ReplyAsync(rig, Zeros)).ShouldBe((SocksReply)reply);
    }

    [Fact]
    public async Task Nobody_without_the_password_gets_one()
    {
        var way = new LoopbackDatagrams();
        await using var echo = new UdpEcho(IPAddress.Loopback);
        await using IngressRig rig = await IngressRig.SocksAsync(way, null, new ProxyUser("me", "true"));
        using Socket wrong = await rig.ConnectAsync();
        await wrong.SendHexAsync("050102" + "01026D65" + "0466616C73" + Zeros);
        Convert.ToHexString(await wrong.ReadToEndAsync()).ShouldBe("0502" + "0101");
        using Client client = await Client.AssociateAsync(rig, Zeros, "050102" + "01026D65" + "0474727565");
        byte[] header = Header(new FlowTarget(IPAddress.Loopback, (ushort)echo.EndPoint.Port));
        (await client.ExchangeAsync(header, [9])).ShouldBe([.. header, 9]);
    }

    [Fact]
    public void Any_bytes_are_a_header_or_none() => Prop.ForAll<byte[]>(bytes =>
    {
        bool read = SocksDatagram.TryRead(bytes, out var target);
        return !read || (target.End <= bytes.Length && target.Port != 0 && target.Address(bytes).Length == target.Length);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void What_is_written_is_read() => Prop.ForAll(
        (from bytes in Gen.OneOf(ArbMap.Default.GeneratorFor<byte>().ArrayOf(4), ArbMap.Default.GeneratorFor<byte>().ArrayOf(16))
         from port in Gen.Choose(1, ushort.MaxValue)
         from rest in ArbMap.Default.GeneratorFor<byte[]>()
         select (bytes, (ushort)port, rest)).ToArbitrary(),
        given =>
        {
            var (address, port, rest) = given;
            byte[] room = new byte[SocksDatagram.MaxHeaderBytes];
            int length = SocksDatagram.WriteBefore(room, address, port);
            byte[] datagram = [.. room[^length..], .. rest];
            return SocksDatagram.TryRead(datagram, out var target) && target.Port == port
                && target.Address(datagram).SequenceEqual(address) && datagram.AsSpan(target.End).SequenceEqual(rest);
        }).QuickCheckThrowOnFailure();

    /// <summary>RSV FRAG, and the rest as in a request.</summary>
    private static byte[] Header(FlowTarget target) => [0, 0, 0, .. Targets.Socks5Request(target)[3..]];

    /// <summary>A client of RFC 1928 with its two sockets.</summary>
    private sealed class Client(Socket control, Socket datagrams, IPEndPoint relay) : IDisposable
    {
        internal Socket Control => control;

        internal IPEndPoint Relay => relay;

        internal static async Task<Client> AssociateAsync(IngressRig rig, string request = Zeros, string greeting = "050100")
        {
            Socket control = await rig.ConnectAsync();
            await control.SendHexAsync(greeting + request);
            await control.ReadAsync(greeting.Length > 6 ? 4 : 2);
            byte[] reply = await control.ReadAsync(10);
            Convert.ToHexString(reply, 0, 8).ShouldBe("05000001" + "7F000001");
            var relay = new IPEndPoint(new IPAddress(reply.AsSpan(4, 4)), (reply[8] << 8) | reply[9]);
            return new Client(control, new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp), relay);
        }

        internal static async Task<SocksReply> ReplyAsync(IngressRig rig, string request)
        {
            using Socket control = await rig.ConnectAsync();
            await control.SendHexAsync("050100" + request);
            return (SocksReply)(await control.ReadAsync(2 + 10))[3];
        }

        internal Task<int> SendAsync(byte[] datagram) => datagrams.SendToAsync(datagram, relay);

        internal async Task<byte[]> ExchangeAsync(byte[] header, byte[] payload)
        {
            await SendAsync([.. header, .. payload]);
            byte[] answer = new byte[65536];
            using var patience = new CancellationTokenSource(IngressRig.Patience);
            int count = await datagrams.ReceiveAsync(answer, patience.Token);
            return answer[..count];
        }

        public void Dispose()
        {
            control.Dispose();
            datagrams.Dispose();
        }
    }
}
