using System.Net;
using System.Security.Cryptography;
using Aggregator.Flows;
using Aggregator.Relay;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>The whole session over real connections on loopback.</summary>
public sealed class TrunkSessionTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_flow_is_opened_answered_and_carried_both_ways_to_its_end()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        var opened = await pair.Gateway.OpenAsync(new FlowTarget(IPAddress.Parse("192.0.2.1"), 443), "hello"u8.ToArray(), FlowClass.Default, default);
        var stream = opened.ShouldNotBeNull();
        var far = await pair.AcceptAsync().WaitAsync(Limit);
        far.Engine.Target.ShouldBe(new FlowTarget(IPAddress.Parse("192.0.2.1"), 443));
        byte[] buffer = new byte[100];
        (await far.ReadAsync(buffer, default)).ShouldBe(5);
        stream.Opened.IsCompleted.ShouldBeFalse();

        far.Reply(new FlowReply(OpenResult.Opened, IPEndPoint.Parse("198.51.100.1:5000")));
        (await stream.Opened.WaitAsync(Limit)).ShouldBe(new FlowReply(OpenResult.Opened, IPEndPoint.Parse("198.51.100.1:5000")));
        await far.WriteAsync("world"u8.ToArray(), default);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, 5), default);
        buffer[..5].ShouldBe("world"u8.ToArray());

        await stream.CompleteWritesAsync(default);
        (await far.ReadAsync(buffer, default)).ShouldBe(0);
        await far.WriteAsync("!"u8.ToArray(), default);
        await far.CompleteWritesAsync(default);
        (await stream.ReadAsync(buffer, default)).ShouldBe(1);
        (await stream.ReadAsync(buffer, default)).ShouldBe(0);
        await Eventually(() => pair.Gateway.Sample(0).StreamCount == 0 && pair.Vps.Sample(0).StreamCount == 0);
        pair.GatewayBudget.PromisedBytes.ShouldBe(0);
        pair.VpsBudget.PromisedBytes.ShouldBe(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Large_transfers_are_byte_exact_both_ways_at_once(int lanes)
    {
        await using var pair = new TrunkPair();
        for (int i = 0; i < lanes; i++)
        {
            await pair.AddLaneAsync("wan" + i);
        }

        var (gateway, vps) = await pair.OpenAsync();
        var up = CopyAsync(gateway, vps, 64 << 20, 1);
        var down = CopyAsync(vps, gateway, 64 << 20, 2);
        await Task.WhenAll(up, down).WaitAsync(Limit);
        await Eventually(() => pair.VpsBudget is { ReceiveBytes: 0, PromisedBytes: 0 } && pair.GatewayBudget is { ReceiveBytes: 0, PromisedBytes: 0 });
        pair.Gateway.Sample(0).Lanes.Count.ShouldBe(lanes);
    }

    [Fact]
    public async Task Lanes_die_and_come_while_a_flow_lives()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        await pair.AddLaneAsync();
        var (gateway, vps) = await pair.OpenAsync();
        using var stop = new CancellationTokenSource();
        var killer = KillAsync(pair, stop.Token);
        await Task.WhenAll(CopyAsync(gateway, vps, 48 << 20, 1), CopyAsync(vps, gateway, 48 << 20, 2)).WaitAsync(Limit);
        await stop.CancelAsync();
        (await killer).ShouldBeGreaterThan(2);
    }

    [Fact]
    public async Task Many_flows_one_after_the_other_and_at_once()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        await pair.AddLaneAsync();
        for (int round = 0; round < 6; round++)
        {
            var flows = new List<Task>();
            for (int i = 0; i < 8; i++)
            {
                var (gateway, vps) = await pair.OpenAsync(i == 3 ? FlowClass.Redundant : FlowClass.Default);
                flows.Add(round % 2 == 0 ? CopyAsync(gateway, vps, 6 << 20, i) : CopyAsync(vps, gateway, 6 << 20, i));
                flows.Add(round % 2 == 0 ? CopyAsync(vps, gateway, 1000, i) : CopyAsync(gateway, vps, 1000, i));
            }

            await Task.WhenAll(flows).WaitAsync(Limit);
        }

        await Eventually(() => pair.Gateway.Sample(0).StreamCount == 0 && pair.Vps.Sample(0).StreamCount == 0);
    }

    [Fact]
    public async Task A_refused_open_says_why()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        var opened = await pair.Gateway.OpenAsync(new FlowTarget("example.net", 80), new byte[1000], FlowClass.Default, default);
        (await pair.AcceptAsync()).Reply(new FlowReply(OpenResult.Refused, null));
        (await opened!.Opened.WaitAsync(Limit)).Result.ShouldBe(OpenResult.Refused);
        await Should.ThrowAsync<IOException>(async () => await opened.ReadAsync(new byte[1], default));
        await Eventually(() => pair.Vps.Sample(0).StreamCount == 0 && pair.Gateway.Sample(0).StreamCount == 0);
    }

    [Fact]
    public async Task A_reset_reaches_the_other_end_and_a_lost_session_ends_all()
    {
        await using var pair = new TrunkPair(new TrunkOptions { LanelessTime = TimeSpan.FromSeconds(2) });
        uint lane = await pair.AddLaneAsync();
        var (gateway, vps) = await pair.OpenAsync();
        var reading = vps.ReadAsync(new byte[1], default).AsTask();
        gateway.Abort();
        await Should.ThrowAsync<IOException>(reading.WaitAsync(Limit));
        await Should.ThrowAsync<IOException>(async () => await gateway.WriteAsync(new byte[1], default));

        var (other, _) = await pair.OpenAsync();
        pair.Lanes[lane].Gateway.Close();
        (await pair.Lanes[lane].Gateway.Ended.WaitAsync(Limit)).Reason.ShouldBe(LaneEndReason.Closed);
        await Should.ThrowAsync<IOException>(other.ReadAsync(new byte[1], default).AsTask().WaitAsync(Limit));
        (await pair.Gateway.Ended.WaitAsync(Limit)).Reason.ShouldBe(TrunkEndReason.NoLanes);
        (await pair.Vps.Ended.WaitAsync(Limit)).Reason.ShouldBe(TrunkEndReason.NoLanes);
        (await pair.Gateway.OpenAsync(new FlowTarget("a", 1), default, FlowClass.Default, default)).ShouldBeNull();
    }

    [Fact]
    public async Task The_end_of_a_session_reaches_the_peer_in_good_order()
    {
        var pair = new TrunkPair();
        uint lane = await pair.AddLaneAsync();
        await pair.OpenAsync();
        await pair.Gateway.DisposeAsync();
        (await pair.Vps.Ended.WaitAsync(Limit)).ShouldBe(new TrunkEnd(TrunkEndReason.ClosedByPeer, null));
        (await pair.Lanes[lane].Vps.Ended.WaitAsync(Limit)).Reason.ShouldBe(LaneEndReason.ClosedByPeer);
    }

    [Fact]
    public async Task A_lane_retires_when_what_it_carries_has_arrived()
    {
        await using var pair = new TrunkPair();
        uint first = await pair.AddLaneAsync();
        var (gateway, vps) = await pair.OpenAsync();
        var copy = CopyAsync(gateway, vps, 32 << 20, 1);
        await pair.AddLaneAsync();
        pair.Lanes[first].Gateway.Retire();
        (await pair.Lanes[first].Vps.Ended.WaitAsync(Limit)).Reason.ShouldBe(LaneEndReason.ClosedByPeer);
        (await pair.Lanes[first].Gateway.Ended.WaitAsync(Limit)).Reason.ShouldBeOneOf(LaneEndReason.Closed, LaneEndReason.ClosedByPeer);
        await copy.WaitAsync(Limit);
    }

    [Fact]
    public async Task Waits_can_be_cancelled_and_go_on_afterwards()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        var (gateway, vps) = await pair.OpenAsync();
        using var cancel = new CancellationTokenSource();
        var wait = gateway.WaitToReadAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(wait.WaitAsync(Limit));
        await vps.WriteAsync(new byte[] { 7 }, default);
        await gateway.WaitToReadAsync(default).AsTask().WaitAsync(Limit);
        (await gateway.ReadAsync(new byte[9], default)).ShouldBe(1);
    }

    [Fact]
    public async Task A_reader_that_sleeps_holds_up_nobody_else()
    {
        await using var pair = new TrunkPair();
        await pair.AddLaneAsync();
        var (slow, slowFar) = await pair.OpenAsync();
        using var stop = new CancellationTokenSource();
        var flood = FloodAsync(slowFar, stop.Token);
        var (quick, quickFar) = await pair.OpenAsync();
        await CopyAsync(quickFar, quick, 32 << 20, 5).WaitAsync(Limit);
        pair.GatewayBudget.ReceiveBytes.ShouldBeLessThanOrEqualTo(new TrunkOptions().FirstWindowBytes + BlockPool.BlockBytes);
        slow.Abort();
        await stop.CancelAsync();
        await flood.WaitAsync(Limit);
    }

    private static async Task FloodAsync(TrunkStream stream, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await stream.WriteAsync(new byte[100_000], cancellationToken);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
    }

    private static async Task<int> KillAsync(TrunkPair pair, CancellationToken cancellationToken)
    {
        int killed = 0;
        var random = new Random(7);
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(random.Next(5, 60), CancellationToken.None);
            var lanes = pair.Lanes.ToArray();
            var (id, (gateway, vps)) = lanes[random.Next(lanes.Length)];
            (random.Next(2) == 0 ? gateway : vps).Close();
            pair.Lanes.TryRemove(id, out _);
            killed++;
            await pair.AddLaneAsync();
        }

        return killed;
    }

    /// <summary>Writes pseudo-random bytes in pieces of random sizes, ends, and compares what comes out.</summary>
    private static async Task CopyAsync(TrunkStream from, TrunkStream to, int bytes, int seed)
    {
        var write = Task.Run(async () =>
        {
            var random = new Random(seed);
            var sizes = new Random(seed + 1);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            byte[] buffer = new byte[200_000];
            for (int left = bytes; left > 0;)
            {
                int count = Math.Min(left, sizes.Next(1, buffer.Length));
                random.NextBytes(buffer.AsSpan(0, count));
                hash.AppendData(buffer, 0, count);
                await from.WriteAsync(buffer.AsMemory(0, count), default);
                left -= count;
            }

            await from.CompleteWritesAsync(default);
            return hash.GetHashAndReset();
        });
        using var got = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] into = new byte[128 * 1024];
        long total = 0;
        while (await to.ReadAsync(into, default) is var n && n > 0)
        {
            got.AppendData(into, 0, n);
            total += n;
        }

        total.ShouldBe(bytes);
        got.GetHashAndReset().ShouldBe(await write);
    }

    private static async Task Eventually(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!condition())
        {
            await Task.Delay(10, limit.Token);
        }
    }
}
