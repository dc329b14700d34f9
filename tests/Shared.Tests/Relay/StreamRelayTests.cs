using System.Security.Cryptography;
using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>client ── relay ── server, over real sockets.</summary>
public sealed class StreamRelayTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    private readonly RelayBudget _budget = new(largeCount: 8, smallCount: 8);

    public static TheoryData<Wire, Wire> Hops => new()
    {
        { Wire.Tcp, Wire.Tcp },
        { Wire.Tcp, Wire.Mptcp },
        { Wire.Tcp, Wire.Tls },
        { Wire.TlsMptcp, Wire.Tcp },
    };

    [Theory]
    [MemberData(nameof(Hops))]
    public async Task Bytes_and_ends_go_both_ways(Wire first, Wire second)
    {
        await using var rig = await RelayRig.StartAsync(first, second, _budget);
        byte[] up = RandomNumberGenerator.GetBytes(3_000_001);
        byte[] down = RandomNumberGenerator.GetBytes(2_000_003);

        var received = ByteStreamTests.ReadAllAsync(rig.Server);
        await rig.Client.WriteAsync(up, Patience);
        await rig.Client.CompleteWritesAsync(Patience);
        (await received).AsSpan().SequenceEqual(up).ShouldBeTrue();

        // The end of one direction is not the end of the other.
        rig.Relay.IsCompleted.ShouldBeFalse();
        received = ByteStreamTests.ReadAllAsync(rig.Client);
        await rig.Server.WriteAsync(down, Patience);
        await rig.Server.CompleteWritesAsync(Patience);
        (await received).AsSpan().SequenceEqual(down).ShouldBeTrue();

        (await rig.Relay).ShouldBe(new RelayResult(RelayEnd.Completed, up.Length, down.Length, null));
        rig.ToSecond.Value.ShouldBe(up.Length);
        rig.ToFirst.Value.ShouldBe(down.Length);
        _budget.InUseBytes.ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(Hops))]
    public async Task A_reset_goes_through_from_either_side(Wire first, Wire second)
    {
        foreach (bool fromClient in new[] { true, false })
        {
            await using var rig = await RelayRig.StartAsync(first, second, _budget);
            var (breaks, sees) = fromClient ? (rig.Client, rig.Server) : (rig.Server, rig.Client);
            await breaks.WriteAsync("x"u8.ToArray(), Patience);
            (await sees.ReadAsync(new byte[1], Patience)).ShouldBe(1);
            breaks.Abort();
            ByteStreamTests.ResetIn(await Should.ThrowAsync<IOException>(ByteStreamTests.ReadAllAsync(sees))).ShouldBeTrue();
            var result = await rig.Relay;
            result.End.ShouldBe(fromClient ? RelayEnd.FirstBroke : RelayEnd.SecondBroke);
            result.Error.ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task A_truncated_TLS_stream_is_a_reset_for_the_other_side()
    {
        await using var rig = await RelayRig.StartAsync(Wire.TlsMptcp, Wire.Tcp, _budget);
        await rig.Client.WriteAsync("half a file"u8.ToArray(), Patience);
        StreamPairs.SocketOf(rig.Client).Shutdown(System.Net.Sockets.SocketShutdown.Send);
        ByteStreamTests.ResetIn(await Should.ThrowAsync<IOException>(ByteStreamTests.ReadAllAsync(rig.Server))).ShouldBeTrue();
        (await rig.Relay).End.ShouldBe(RelayEnd.FirstBroke);
    }

    [Fact]
    public async Task A_cancellation_resets_both_sides()
    {
        await using var rig = await RelayRig.StartAsync(Wire.Tcp, Wire.Tls, _budget);
        await rig.Stop.CancelAsync();
        (await rig.Relay).End.ShouldBe(RelayEnd.Cancelled);
        ByteStreamTests.ResetIn(await Should.ThrowAsync<IOException>(ByteStreamTests.ReadAllAsync(rig.Client))).ShouldBeTrue();
        ByteStreamTests.ResetIn(await Should.ThrowAsync<IOException>(ByteStreamTests.ReadAllAsync(rig.Server))).ShouldBeTrue();
    }

    /// <summary>Far more receivers that do not read than there are buffers: the budget holds, and all is delivered in the end.</summary>
    [Fact]
    public async Task Slow_receivers_stay_within_the_budget_and_starve_nobody()
    {
        var budget = new RelayBudget(largeCount: 2, smallCount: 12);
        long limit = (2 * RelayBudget.LargeBytes) + (12 * RelayBudget.SmallBytes);
        byte[] data = RandomNumberGenerator.GetBytes(12_000_000);
        var stuck = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => RelayRig.StartAsync(Wire.Tcp, Wire.Tcp, budget)));
        var writes = stuck.Select(async rig =>
        {
            await rig.Client.WriteAsync(data, Patience);
            await rig.Client.CompleteWritesAsync(Patience);
        }).ToArray();

        // A flow with a quick receiver goes on beside them.
        await using (var quick = await RelayRig.StartAsync(Wire.Tcp, Wire.Tcp, budget))
        {
            var received = ByteStreamTests.ReadAllAsync(quick.Server);
            await quick.Client.WriteAsync(data, Patience);
            await quick.Client.CompleteWritesAsync(Patience);
            budget.InUseBytes.ShouldBeLessThanOrEqualTo(limit);
            (await received).AsSpan().SequenceEqual(data).ShouldBeTrue();
        }

        writes.ShouldAllBe(w => !w.IsCompleted);
        foreach (var rig in stuck)
        {
            (await ByteStreamTests.ReadAllAsync(rig.Server)).AsSpan().SequenceEqual(data).ShouldBeTrue();
            budget.InUseBytes.ShouldBeLessThanOrEqualTo(limit);
        }

        await Task.WhenAll(writes);
        foreach (var rig in stuck)
        {
            await rig.DisposeAsync();
        }

        budget.InUseBytes.ShouldBe(0);
    }

    /// <summary>More receivers that never read than there are buffers: somebody has to go, and it is not the one who reads.</summary>
    [Fact]
    public async Task Receivers_that_never_read_do_not_stop_others_for_good()
    {
        var budget = new RelayBudget(largeCount: 1, smallCount: 3) { PatienceWithReceivers = TimeSpan.FromMilliseconds(300) };
        byte[] data = RandomNumberGenerator.GetBytes(12_000_000);
        var stuck = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RelayRig.StartAsync(Wire.Tcp, Wire.Tcp, budget)));
        var writes = stuck.Select(async rig =>
        {
            try
            {
                await rig.Client.WriteAsync(data, Patience);
            }
            catch (IOException)
            {
                // Its flow was ended.
            }
        }).ToArray();
        SpinWait.SpinUntil(() => budget.InUseBytes == RelayBudget.LargeBytes + (3 * RelayBudget.SmallBytes), TimeSpan.FromSeconds(30)).ShouldBeTrue();

        await using (var quick = await RelayRig.StartAsync(Wire.Tcp, Wire.Tcp, budget))
        {
            var received = ByteStreamTests.ReadAllAsync(quick.Server);
            await quick.Client.WriteAsync(data, Patience);
            await quick.Client.CompleteWritesAsync(Patience);
            (await received).AsSpan().SequenceEqual(data).ShouldBeTrue();
        }

        stuck.ShouldContain(rig => rig.Relay.IsCompleted);
        foreach (var rig in stuck.Where(rig => rig.Relay.IsCompleted))
        {
            (await rig.Relay).End.ShouldBe(RelayEnd.Stuck);
        }

        foreach (var rig in stuck)
        {
            await rig.DisposeAsync();
        }

        await Task.WhenAll(writes);
        budget.InUseBytes.ShouldBe(0);
    }
}
