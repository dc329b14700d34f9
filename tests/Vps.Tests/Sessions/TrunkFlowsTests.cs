using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Trunk;
using Aggregator.Vps.Egress;
using Aggregator.Vps.Sessions;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Sessions;

/// <summary>Flows of a session as its lanes bring them.</summary>
public sealed class TrunkFlowsTests
{
    /// <summary>A gateway that opens and resets as fast as it can, on a machine whose threads are all busy.</summary>
    [Fact]
    public async Task Only_so_many_opens_wait_for_a_thread()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using IdentityKey key = IdentityKey.CreateEphemeral();
        await using var session = new TrunkSession(
            TrunkRole.Gateway, 1, "test", null, new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), TimeProvider.System, NullLogger.Instance);
        var target = new FlowTarget("example.net", 80);
        TrunkStream reset = (await session.OpenAsync(target, ReadOnlyMemory<byte>.Empty, FlowClass.Default, patience.Token))!;
        reset.Abort();

        // Nothing is dialled for a flow that is over: the dialer needs nothing to dial with.
        var dialer = new Dialer(null!, null!, null!, TimeProvider.System);
        var flows = new TrunkFlows(new LiveGateway(key.Pin, "home"), dialer, RelayBudget.ForMemory(1 << 30), NullLogger.Instance);
        int most = 0;
        using (var busy = new ManualResetEventSlim())
        {
            int threads = ThreadPool.ThreadCount + 64;
            using var freed = new CountdownEvent(threads);
            for (int i = 0; i < threads; i++)
            {
                ThreadPool.UnsafeQueueUserWorkItem(
                    _ =>
                    {
                        busy.Wait();
                        freed.Signal();
                    },
                    null);
            }

            for (int i = 0; i < 5 * TrunkFlows.MaxWaiting; i++)
            {
                flows.Opened(reset, target, FlowClass.Default);
                most = Math.Max(most, flows.Waiting);
            }

            busy.Set();
            freed.Wait(patience.Token);
        }

        most.ShouldBeInRange(1, TrunkFlows.MaxWaiting);
        while (flows.Waiting > 0)
        {
            await Task.Delay(5, patience.Token);
        }
    }
}
