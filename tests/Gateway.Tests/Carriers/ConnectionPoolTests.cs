using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Tests.Ingress;
using Aggregator.Mptcp;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Carriers;

public sealed class ConnectionPoolTests
{
    /// <summary>Each flow has its own connection and its own TLS handshake; the handshakes are bounded, the flows wait their turn.</summary>
    [Fact]
    public async Task Two_thousand_flows_at_once_all_succeed()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        int most = 0;
        Task<OpenResult>[] flows = [.. Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            OpenResult result = await rig.EchoAsync($"flow {i}");
            InterlockedMax(ref most, rig.Carrier.Pool.Dialing);
            return result;
        }))];
        (await Task.WhenAll(flows)).ShouldAllBe(r => r == OpenResult.Opened);
        vps.Flows.ShouldBe(2000);
        most.ShouldBeInRange(1, CarrierLimits.Default.MaxDialing);
        rig.Carrier.Pool.Waiting.ShouldBe(0);
    }

    [Fact]
    public async Task The_pool_grows_with_demand_and_not_beyond_its_bound()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => rig.EchoAsync()));
        await rig.ReadyAsync(CarrierLimits.Default.MaxReady);
        rig.Carrier.Pool.Ready.ShouldBe(CarrierLimits.Default.MaxReady);
    }

    [Fact]
    public async Task Ready_connections_that_the_VPS_ends_are_replaced()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        await rig.ReadyAsync();
        vps.ResetAll();
        await IngressRig.Eventually(() => vps.Accepted >= 16);
        await rig.ReadyAsync();
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task Old_connections_are_replaced()
    {
        await using FakeVps vps = FakeVps.Start();
        var limits = CarrierLimits.Default with { MaxReadyAge = TimeSpan.FromMilliseconds(300), TickPeriod = TimeSpan.FromMilliseconds(50) };
        await using var rig = new CarrierRig(vps.Target, limits: limits);
        await IngressRig.Eventually(() => vps.Accepted >= 24);
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task Connections_of_a_WAN_that_went_down_are_not_used()
    {
        await using FakeVps vps = FakeVps.Start();
        var first = new WanPath(null, IPAddress.Parse("127.0.0.8"));
        var wans = new TestWans(first, new WanPath(null, IPAddress.Parse("127.0.0.9")));
        await using var rig = new CarrierRig(vps.Target, wans);
        await rig.ReadyAsync();
        wans.Down.Add(first);
        CarriedFlow flow = await rig.Carrier.OpenAsync(new FlowTarget("echo", 1), default, CancellationToken.None);
        rig.Carrier.Live.Single().Path.Source.ShouldBe(IPAddress.Parse("127.0.0.9"));
        await flow.Stream!.DisposeAsync();
    }

    [Fact]
    public async Task While_a_WAN_is_slow_flows_begin_on_another_and_its_connections_wait()
    {
        await using FakeVps vps = FakeVps.Start();
        WanPath first = new(null, IPAddress.Parse("127.0.0.8")), second = new(null, IPAddress.Parse("127.0.0.9"));
        var wans = new TestWans(first, second);
        await using var rig = new CarrierRig(vps.Target, wans);
        await rig.ReadyAsync();
        wans.Slow.Add(first);
        rig.Carrier.Pool.Wake();
        int min = CarrierLimits.Default.MinReady;
        await rig.ReadyAsync(2 * min);
        rig.Carrier.Pool.Ready.ShouldBe(2 * min);
        (await TakenAsync(rig)).ShouldBe(second.Source);

        wans.Slow.Remove(first);
        wans.Slow.Add(second);
        (await TakenAsync(rig)).ShouldBe(first.Source);

        // Nothing quick is left: what there is serves.
        wans.Slow.Add(first);
        (await TakenAsync(rig)).ShouldNotBeNull();
    }

    private static async Task<IPAddress?> TakenAsync(CarrierRig rig)
    {
        CarriedFlow flow = await rig.Carrier.OpenAsync(new FlowTarget("echo", 1), default, CancellationToken.None);
        IPAddress? source = rig.Carrier.Live.Single().Path.Source;
        await flow.Stream!.DisposeAsync();
        await IngressRig.Eventually(() => rig.Carrier.LiveCount == 0);
        return source;
    }

    /// <summary>The VPS restarts: flows of the time between fail at once, none hangs; when it is back, flows are carried without anybody's help.</summary>
    [Fact]
    public async Task A_restart_of_the_VPS_fails_flows_fast_and_is_recovered_from()
    {
        await using FakeVps vps = FakeVps.Start();
        await using var rig = new CarrierRig(vps.Target);
        await rig.ReadyAsync();
        await vps.StopAsync();
        (await rig.EchoAsync().WaitAsync(IngressRig.Patience)).ShouldBe(OpenResult.NoCarrier);
        await IngressRig.Eventually(() => rig.Carrier.Pool is { Ready: 0, Dialing: 0 });
        // By now it is known to be away, so there is nothing to wait for.
        ValueTask<PoolTake> taken = rig.Carrier.Pool.TakeAsync(CancellationToken.None);
        taken.IsCompleted.ShouldBeTrue();
        (await taken).Result.ShouldBe(OpenResult.NoCarrier);
        vps.Restart();
        await rig.ReadyAsync();
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task The_node_s_return_ends_the_pause_between_dials()
    {
        await using FakeVps vps = FakeVps.Start();
        await vps.StopAsync();
        var limits = CarrierLimits.Default with { MinRedialPause = TimeSpan.FromHours(1), MaxRedialPause = TimeSpan.FromHours(1) };
        await using var rig = new CarrierRig(vps.Target, limits: limits);
        (await rig.EchoAsync()).ShouldBe(OpenResult.NoCarrier);
        rig.Node.Reachability = NodeReachability.Unreachable;
        vps.Restart();
        rig.Node.Reachability = NodeReachability.Connected;
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
    }

    /// <summary>A VPS that accepts and then says nothing.</summary>
    [Fact]
    public async Task Flows_waiting_in_vain_are_given_up()
    {
        await using TestServer mute = TestServer.Mute();
        using var identity = Aggregator.Identity.IdentityKey.CreateEphemeral();
        var limits = CarrierLimits.Default with { StallTimeout = TimeSpan.FromMilliseconds(500), TickPeriod = TimeSpan.FromMilliseconds(50) };
        await using var rig = new CarrierRig(new VpsTarget(["127.0.0.1"], (ushort)mute.EndPoint.Port, identity.Pin), limits: limits);
        (await rig.EchoAsync()).ShouldBe(OpenResult.NoCarrier);
    }

    [Fact]
    public async Task A_flow_may_stop_waiting()
    {
        await using TestServer mute = TestServer.Mute();
        using var identity = Aggregator.Identity.IdentityKey.CreateEphemeral();
        await using var rig = new CarrierRig(new VpsTarget(["127.0.0.1"], (ushort)mute.EndPoint.Port, identity.Pin));
        using var stop = new CancellationTokenSource();
        ValueTask<PoolTake> taken = rig.Carrier.Pool.TakeAsync(stop.Token);
        await stop.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await taken);
    }

    [Fact]
    public async Task Flows_beyond_the_bound_of_the_queue_are_refused_as_busy()
    {
        await using TestServer mute = TestServer.Mute();
        using var identity = Aggregator.Identity.IdentityKey.CreateEphemeral();
        await using var rig = new CarrierRig(
            new VpsTarget(["127.0.0.1"], (ushort)mute.EndPoint.Port, identity.Pin), limits: CarrierLimits.Default with { MaxWaiting = 1 });
        ValueTask<PoolTake> first = rig.Carrier.Pool.TakeAsync(CancellationToken.None);
        (await rig.Carrier.Pool.TakeAsync(CancellationToken.None)).Result.ShouldBe(OpenResult.Busy);
        await rig.Carrier.DisposeAsync();
        (await first).Result.ShouldBe(OpenResult.NoCarrier);
    }

    /// <summary>The first address drops what it is sent, as a black hole does. No time-out ends within this test.</summary>
    [Fact]
    public async Task A_silent_way_to_the_VPS_does_not_hold_up_the_others()
    {
        await using FakeVps vps = FakeVps.Start(address: IPAddress.Parse("127.0.0.2"));
        using Socket hole = TcpSocket.Listen(new IPEndPoint(IPAddress.Loopback, vps.Port), 0);
        var fill = new List<Socket>();
        try
        {
            // A backlog of none takes one connection; from the next on, SYNs are dropped.
            bool full = false;
            while (!full)
            {
                Socket socket = TcpSocket.Create(AddressFamily.InterNetwork);
                fill.Add(socket);
                Task connecting = socket.ConnectAsync((IPEndPoint)hole.LocalEndPoint!);
                full = await Task.WhenAny(connecting, Task.Delay(300)) != connecting;
            }
            TimeSpan never = TimeSpan.FromHours(1);
            var limits = CarrierLimits.Default with
            {
                ConnectStagger = TimeSpan.FromMilliseconds(100), DialTimeout = never, TotalDialTimeout = never, StallTimeout = never, MaxWait = never,
            };
            await using var rig = new CarrierRig(vps.Target with { Hosts = ["127.0.0.1", "127.0.0.2"] }, limits: limits);
            (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        }
        finally
        {
            fill.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task Another_VPS_takes_over_at_once()
    {
        await using FakeVps before = FakeVps.Start();
        await using FakeVps after = FakeVps.Start();
        await using var rig = new CarrierRig(before.Target);
        await rig.ReadyAsync();
        rig.Target = after.Target;
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        (before.Flows, after.Flows).ShouldBe((0, 1));
    }

    [Fact]
    public async Task Another_VPS_takes_over_after_a_clear()
    {
        await using FakeVps before = FakeVps.Start();
        await using FakeVps after = FakeVps.Start();
        await using var rig = new CarrierRig(before.Target);
        await rig.ReadyAsync();
        rig.Target = after.Target;
        await rig.Carrier.Pool.ClearAsync("another VPS");
        (await rig.EchoAsync()).ShouldBe(OpenResult.Opened);
        after.Flows.ShouldBe(1);
        before.Flows.ShouldBe(0);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref most)) < value && Interlocked.CompareExchange(ref most, value, seen) != seen)
        {
        }
    }
}
