using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>Where streams keep their bytes: what was written is read, whatever the sizes, gaps and places; small messages take small blocks.</summary>
public sealed class BlockRunTests
{
    [Fact]
    public void What_is_written_is_read_in_any_order_of_sizes_and_gaps() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            Try(new Random(seed));
            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    [Fact]
    public void A_small_message_takes_a_small_block_and_an_empty_run_none()
    {
        var run = new BlockRun(new BlockPool());
        run.Write(100_000, new byte[700]);
        run.HeldBytes.ShouldBe(BlockPool.SmallBytes);
        run.Write(100_700, new byte[300]);
        run.HeldBytes.ShouldBe(BlockPool.SmallBytes);
        run.FreeBefore(101_000, empty: true);
        run.HeldBytes.ShouldBe(0);
        run.Write(101_000, new byte[BlockPool.SmallBytes + 1]);
        run.HeldBytes.ShouldBe(BlockPool.BlockBytes);
        run.Clear();
        run.HeldBytes.ShouldBe(0);
    }

    /// <summary>As a stream does it: writes ahead of what was freed, reads from there, in any order.</summary>
    private static void Try(Random random)
    {
        const int length = 200_000;
        byte[] all = new byte[length];
        random.NextBytes(all);
        bool[] there = new bool[length];
        var run = new BlockRun(new BlockPool());
        int freed = 0, highest = 0;
        while (freed < length)
        {
            int dice = random.Next(10);
            if (dice < 5)
            {
                // Mostly in order, sometimes ahead of it; small ones and large ones.
                int start = Math.Min(length - 1, random.Next(3) > 0 ? Math.Max(freed, FirstMissing(there, freed)) : freed + random.Next(60_000));
                int count = Math.Min(length - start, 1 + random.Next(random.Next(2) == 0 ? 600 : 40_000));
                run.Write(start, all.AsSpan(start, count));
                there.AsSpan(start, count).Fill(true);
                highest = Math.Max(highest, start + count);
            }
            else
            {
                int end = FirstMissing(there, freed);
                int count = end == freed ? 0 : 1 + random.Next(end - freed);
                byte[] read = new byte[count];
                run.Read(freed, read);
                read.AsSpan().SequenceEqual(all.AsSpan(freed, count)).ShouldBeTrue();
                freed += count;
                bool empty = freed >= highest;
                run.FreeBefore(freed, empty);
                if (empty)
                {
                    run.HeldBytes.ShouldBe(0);
                }

                run.HeldBytes.ShouldBeLessThanOrEqualTo(Math.Max(0, highest - freed) + (2 * BlockPool.BlockBytes));
            }
        }
    }

    private static int FirstMissing(bool[] there, int from)
    {
        int missing = Array.IndexOf(there, false, from);
        return missing < 0 ? there.Length : missing;
    }
}
