using Aggregator.Relay;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

/// <summary>By themselves: the allocation counter is the whole process's.</summary>
[CollectionDefinition(nameof(RelayAllocationTests), DisableParallelization = true)]
[Collection(nameof(RelayAllocationTests))]
public sealed class RelayAllocationTests
{
    private readonly RelayBudget _budget = new(largeCount: 8, smallCount: 8);

    [Theory]
    [MemberData(nameof(StreamRelayTests.Hops), MemberType = typeof(StreamRelayTests))]
    public async Task An_idle_flow_holds_no_buffer_and_a_busy_one_allocates_nothing(Wire first, Wire second)
    {
        await using var rig = await RelayRig.StartAsync(first, second, _budget);
        byte[] chunk = new byte[256 * 1024];
        byte[] sink = new byte[256 * 1024];
        // TLS rents its records' buffers from the shared pool, which grows by whole arrays when it likes: a longer run tells these from
        // an object a record (16 KiB each, so 24 bytes for each of 51,200 records are over 1.2 MB).
        bool tls = first is Wire.TlsMptcp || second is Wire.Tls;
        int rounds = tls ? 1600 : 400;
        long limitBytes = tls ? 1024 * 1024 : 32 * 1024;

        async Task MoveAsync(IByteStream from, IByteStream to)
        {
            for (int round = 0; round < rounds; round++)
            {
                var write = from.WriteAsync(chunk, CancellationToken.None);
                for (int rest = chunk.Length; rest > 0;)
                {
                    rest -= await to.ReadAsync(sink, CancellationToken.None);
                }

                await write;
            }
        }

        // Two buffers at once may be needed for the first time at any moment; they are there beforehand.
        byte[][] warm = [await _budget.RentAsync(), await _budget.RentAsync()];
        Array.ForEach(warm, _budget.Return);
        await MoveAsync(rig.Client, rig.Server);
        await MoveAsync(rig.Server, rig.Client);

        // What earlier tests left running, and what is compiled anew, allocates in one of them; the flow does in all or in none.
        long allocated = long.MaxValue;
        for (int attempt = 0; attempt < 3 && allocated >= limitBytes; attempt++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            await MoveAsync(rig.Client, rig.Server);
            await MoveAsync(rig.Server, rig.Client);
            allocated = Math.Min(allocated, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        // Without TLS 200 MiB went by, at least 1,600 chunks of 128 KiB: one object a chunk anywhere would be 38 KiB and more.
        allocated.ShouldBeLessThan(limitBytes);
        // Each direction waits again, or is about to: its buffer is back as soon as the wait begins.
        SpinWait.SpinUntil(() => _budget.InUseBytes == 0, TimeSpan.FromSeconds(10)).ShouldBeTrue();
    }
}
