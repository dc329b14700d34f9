using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Ingress;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class SocksIngressTests
{
    private const string Greeting = "050100";

    private static string Request(IPEndPoint target) => Convert.ToHexString(Targets.Socks5Request(new FlowTarget(target.Address, (ushort)target.Port)));

    [Fact]
    public async Task A_request_in_single_bytes_reaches_the_target()
    {
        await using TestServer server = TestServer.Echo();
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        foreach (byte b in Convert.FromHexString(Greeting))
        {
            await TestServer.SendAsync(client, new[] { b });
        }
        (await client.ReadHexAsync(2)).ShouldBe("0500");
        foreach (byte b in Convert.FromHexString(Request(server.EndPoint)))
        {
            await TestServer.SendAsync(client, new[] { b });
        }
        byte[] reply = await client.ReadAsync(10);
        Convert.ToHexString(reply, 0, 8).ShouldBe("050000017F000001");
        await client.SendTextAsync("hello");
        client.Shutdown(SocketShutdown.Send);
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldBe("hello");
        await IngressRig.Eventually(() => rig.Flows.Active == 0);
        (rig.Flows.Total, rig.Flows.Failed).ShouldBe((1, 0));
        rig.Flows.BytesDown.Value.ShouldBe(5);
    }

    /// <summary>A client that does not wait for any answer: everything in one segment, and its own end too.</summary>
    [Fact]
    public async Task Bytes_sent_ahead_travel_with_the_open()
    {
        await using TestServer server = TestServer.Echo();
        var carrier = new DirectCarrier();
        await using IngressRig rig = await IngressRig.SocksAsync(carrier);
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(Greeting + Request(server.EndPoint) + "00112233");
        client.Shutdown(SocketShutdown.Send);
        string all = Convert.ToHexString(await client.ReadToEndAsync());
        all.ShouldStartWith("0500" + "050000017F000001");
        all.ShouldEndWith("00112233");
        carrier.Opens.Single().FirstBytes.ShouldBe(Convert.FromHexString("00112233"));
    }

    [Fact]
    public async Task Names_and_IPv6_reach_the_carrier_as_asked()
    {
        await using TestServer server = TestServer.Echo(IPAddress.IPv6Loopback);
        var carrier = new DirectCarrier();
        carrier.Names["server.example"] = IPAddress.IPv6Loopback;
        await using IngressRig rig = await IngressRig.SocksAsync(carrier);
        ushort port = (ushort)server.EndPoint.Port;
        foreach (var target in new[] { new FlowTarget("server.example", port), new FlowTarget(IPAddress.IPv6Loopback, port) })
        {
            using Socket client = await rig.ConnectAsync();
            await client.SendHexAsync(Greeting + Convert.ToHexString(Targets.Socks5Request(target)));
            byte[] answer = await client.ReadAsync(2 + 22);
            Convert.ToHexString(answer, 2, 4).ShouldBe("05000004");
        }
        carrier.Opens.Select(o => o.Target.ToString()).ShouldBe([$"server.example:{port}", $"[::1]:{port}"]);
    }

    [Theory]
    [InlineData("0102" + "6D65" + "04" + "74727565", "0100", true)]
    [InlineData("0102" + "6D65" + "04" + "66616C73", "0101", false)]
    [InlineData("0104" + "6D657472" + "02" + "7565", "0101", false)]
    [InlineData("0100" + "00", "0101", false)]
    public async Task Users_are_asked_for_name_and_password(string credentials, string answer, bool accepted)
    {
        await using TestServer server = TestServer.Echo();
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier(), null, new ProxyUser("other", "x"), new ProxyUser("me", "true"));
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync("05020002" + credentials + (accepted ? Request(server.EndPoint) : ""));
        (await client.ReadHexAsync(4)).ShouldBe("0502" + answer);
        if (accepted)
        {
            (await client.ReadHexAsync(10)).ShouldStartWith("0500");
        }
        else
        {
            (await client.ReadToEndAsync()).ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task Without_an_acceptable_method_the_client_is_told()
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier(), null, new ProxyUser("me", "true"));
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(Greeting);
        Convert.ToHexString(await client.ReadToEndAsync()).ShouldBe("05FF");
    }

    [Theory]
    [InlineData("05020001" + "7F0000010050", "07")]
    [InlineData("05030001" + "000000000000", "07")]
    [InlineData("05090001" + "7F0000010050", "07")]
    [InlineData("05010002" + "7F0000010050", "08")]
    [InlineData("05010001" + "7F0000010000", "01")]
    [InlineData("0501000303" + "612F62" + "0050", "01")]
    public async Task What_is_not_supported_is_answered_in_good_order(string request, string code)
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        // More behind it: the answer must arrive all the same.
        await client.SendHexAsync(Greeting + request + new string('0', 2000));
        Convert.ToHexString(await client.ReadToEndAsync()).ShouldBe("0500" + "05" + code + "0001000000000000");
        rig.Flows.Total.ShouldBe(0);
    }

    [Theory]
    [InlineData(OpenResult.Refused, "05")]
    [InlineData(OpenResult.NotAllowed, "02")]
    [InlineData(OpenResult.NoCarrier, "03")]
    [InlineData(OpenResult.TimedOut, "06")]
    internal async Task A_failed_open_is_a_reply_code(OpenResult result, string code)
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier { Refuse = _ => result });
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(Greeting + "050100017F0000010050");
        Convert.ToHexString(await client.ReadToEndAsync()).ShouldBe("0500" + "05" + code + "0001000000000000");
        await IngressRig.Eventually(() => rig.Flows.Active == 0);
        (rig.Flows.Total, rig.Flows.Failed).ShouldBe((1, 1));
    }

    [Theory]
    [InlineData("0401005001020304" + "00")]
    [InlineData("474554202F20485454502F312E310D0A0D0A")]
    [InlineData("16030100A5010000A10303")]
    [InlineData("0500")]
    public async Task Other_protocols_are_closed_without_a_reset(string hex)
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(hex);
        (await client.ReadToEndAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("05")]
    [InlineData("0501000501000320")]
    public async Task A_request_that_stops_is_closed_after_the_time_limit(string hex)
    {
        await using IngressRig rig = await IngressRig.SocksAsync(
            new DirectCarrier(), IngressLimits.Default with { HandshakeTimeout = TimeSpan.FromMilliseconds(300) });
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(hex);
        (await client.ReadToEndAsync()).Length.ShouldBeLessThanOrEqualTo(2);
    }

    [Fact]
    public async Task A_reset_of_the_server_reaches_the_client_as_one()
    {
        await using TestServer server = TestServer.Start(async socket =>
        {
            await socket.ReceiveAsync(new byte[1]);
            socket.LingerState = new LingerOption(true, 0);
        });
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(Greeting + Request(server.EndPoint));
        await client.ReadAsync(12);
        await client.SendTextAsync("x");
        (await client.IsResetAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task All_flows_end_with_the_registry()
    {
        await using TestServer server = TestServer.Echo();
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendHexAsync(Greeting + Request(server.EndPoint));
        await client.ReadAsync(12);
        rig.Flows.Active.ShouldBe(1);
        await rig.Flows.DisposeAsync();
        (await client.IsResetAsync()).ShouldBeTrue();
        rig.Flows.Active.ShouldBe(0);
    }

    [Fact]
    public async Task A_port_in_use_is_said_in_one_line()
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier());
        await using var second = new SocksIngress(rig.EndPoint, [], IngressRig.Context(new DirectCarrier()));
        StartResult started = await second.StartAsync(CancellationToken.None);
        started.Error.ShouldBe($"socks cannot listen on {rig.EndPoint}: the port is in use by another program; choose another one or stop that program");
    }
}
