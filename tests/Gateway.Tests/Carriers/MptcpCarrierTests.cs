using System.Net;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Tests.Ingress;
using Aggregator.Identity;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Carriers;

public sealed class MptcpCarrierTests
{
    [Fact]
    public async Task A_flow_takes_a_ready_connection_and_the_pool_fills_up_again()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        await rig.ReadyAsync();
        int dialled = vps.Accepted;
        dialled.ShouldBe(8);
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        await rig.ReadyAsync();
        vps.Accepted.ShouldBe(dialled + 1);
        rig.Carrier.LiveCount.ShouldBe(0);
    }

    [Fact]
    public async Task The_answer_has_its_result_and_bound_address()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        CarriedFlow refused = await rig.Carrier.OpenAsync(new FlowTarget("refused", 1), default, CancellationToken.None);
        (await refused.Opened).ShouldBe(new OpenReply(OpenResult.Refused, null));
        await refused.Stream!.DisposeAsync();
        CarriedFlow opened = await rig.Carrier.OpenAsync(new FlowTarget("echo", 1), default, CancellationToken.None);
        (await opened.Opened).ShouldBe(new OpenReply(OpenResult.Opened, new IPEndPoint(IPAddress.Loopback, 7)));
        rig.Carrier.LiveCount.ShouldBe(1);
        rig.Carrier.Live.Single().Path.ShouldBe(default);
        await opened.Stream!.DisposeAsync();
        rig.Carrier.LiveCount.ShouldBe(0);
    }

    [Fact]
    public async Task A_connection_that_dies_or_stays_silent_is_a_result()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target, limits: CarrierLimits.Default with { AnswerTimeout = TimeSpan.FromMilliseconds(300) });
        CarriedFlow dead = await rig.Carrier.OpenAsync(new FlowTarget("die", 1), default, CancellationToken.None);
        (await dead.Opened).Result.ShouldBe(OpenResult.NoCarrier);
        await dead.Stream!.DisposeAsync();
        CarriedFlow silent = await rig.Carrier.OpenAsync(new FlowTarget("silent", 1), default, CancellationToken.None);
        (await silent.Opened).Result.ShouldBe(OpenResult.TimedOut);
        await silent.Stream!.DisposeAsync();
    }

    /// <summary>The relay may abort a flow before its answer came; the answer must not stay away then.</summary>
    [Fact]
    public async Task An_abort_ends_the_waiting_for_the_answer()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        CarriedFlow flow = await rig.Carrier.OpenAsync(new FlowTarget("silent", 1), default, CancellationToken.None);
        flow.Stream!.Abort();
        (await flow.Opened.WaitAsync(IngressRig.Patience)).Result.ShouldBe(OpenResult.NoCarrier);
        await flow.Stream.DisposeAsync();
    }

    [Fact]
    public async Task Without_cipher_the_preface_authenticates()
    {
        byte[] id = new byte[16];
        byte[] key = new byte[32];
        Random.Shared.NextBytes(id);
        Random.Shared.NextBytes(key);
        await using FakeVps vps = FakeVps.Start();
        vps.Plain = (id, key);
        await using var rig = new CarrierRig(vps.Target, node: new TestNode { Plain = new PlainSession(id, key) }, encrypt: false);
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        vps.PlainAccepted.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Without_cipher_is_TLS_all_the_same_where_the_VPS_does_not_allow_it()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target, encrypt: false);
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        vps.PlainAccepted.ShouldBe(0);
    }

    [Fact]
    public async Task Another_key_than_the_pinned_one_carries_nothing()
    {
        await using FakeVps vps = FakeVps.Start();
        using IdentityKey other = IdentityKey.CreateEphemeral();
        await using var rig = new CarrierRig(vps.Target with { Pin = other.Pin });
        (await rig.EchoAsync()).ShouldBe(OpenResult.NoCarrier);
        vps.Flows.ShouldBe(0);
    }

    [Fact]
    public async Task A_full_VPS_is_busy()
    {
        await using FakeVps vps = FakeVps.Start();
        vps.Greeting = GreetingStatus.Busy;
        await using var rig = new CarrierRig(vps.Target);
        (await rig.EchoAsync()).ShouldBe(OpenResult.Busy);
    }

    [Fact]
    public async Task Connections_start_on_the_WAN_that_was_picked_and_on_the_next_when_it_fails()
    {
        await using FakeVps vps = FakeVps.Start();
        // The first has an address that this host has not.
        var wans = new TestWans(new WanPath(null, IPAddress.Parse("192.0.2.1")), new WanPath("lo", IPAddress.Parse("127.0.0.9")));
        await using var rig = new CarrierRig(vps.Target, wans);
        await rig.ReadyAsync();
        vps.Peers.ShouldAllBe(p => p.Address.Equals(IPAddress.Parse("127.0.0.9")));
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task A_name_is_resolved_and_one_that_does_not_exist_is_passed_over()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target with { Hosts = ["no..where", "localhost"] });
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task The_kernel_s_view_of_all_connections_can_be_had()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target, limits: CarrierLimits.Default with { MaxSampled = 5 });
        await rig.ReadyAsync();
        CarrierSample sample = rig.Carrier.Sample();
        (sample.Connections, sample.Sampled, sample.FellBack).ShouldBe((8, 5, 0));
        sample.Established.ShouldBe([new KeyValuePair<IPAddress, int>(IPAddress.Loopback, 5)]);
        sample.Joining.ShouldBeEmpty();
    }

    /// <summary>A peer that speaks TCP only, as behind a box that strips MPTCP.</summary>
    [Fact]
    public async Task A_connection_that_fell_back_to_TCP_works_and_is_counted()
    {
        await using FakeVps vps = FakeVps.Start(mptcp: false);
        await using var rig = new CarrierRig(vps.Target);
        await rig.ReadyAsync();
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        await rig.ReadyAsync();
        CarrierSample sample = rig.Carrier.Sample();
        sample.FellBack.ShouldBe(sample.Sampled);
        sample.Established[IPAddress.Loopback].ShouldBe(sample.Sampled);
    }

    [Theory]
    [InlineData(NodeReachability.Unpaired)]
    [InlineData(NodeReachability.Unreachable)]
    internal async Task Nothing_is_tried_while_the_node_is_known_to_be_away(NodeReachability reachability)
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target, node: new TestNode { Reachability = reachability });
        (await rig.EchoAsync()).ShouldBe(OpenResult.NoCarrier);
        vps.Accepted.ShouldBe(0);
        rig.Node.Reachability = NodeReachability.Connected;
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }
}
