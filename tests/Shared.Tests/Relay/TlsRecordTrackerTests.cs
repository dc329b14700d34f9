using Aggregator.Relay;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Relay;

public sealed class TlsRecordTrackerTests
{
    /// <summary>Against the plain reading of the whole: where each record ends, however the bytes are cut.</summary>
    [Fact]
    public void Ends_are_found_however_the_bytes_are_cut() =>
        Prop.ForAll(
            (from lengths in Gen.Choose(0, 700).NonEmptyListOf()
             from cuts in Gen.Choose(1, 900).NonEmptyListOf()
             select (Lengths: lengths, Cuts: cuts)).ToArbitrary(),
            input =>
            {
                byte[] stream = [.. input.Lengths.SelectMany(l => (byte[])[0x17, 3, 3, (byte)(l >> 8), (byte)l, .. new byte[l]])];
                int[] ends = [.. input.Lengths.Select((_, i) => input.Lengths.Take(i + 1).Sum(l => l + 5))];
                var tracker = default(TlsRecordTracker);
                int at = 0;
                for (int i = 0; at < stream.Length; i++)
                {
                    int size = Math.Min(input.Cuts[i % input.Cuts.Count], stream.Length - at);
                    bool expected = ends.Any(e => e > at && e <= at + size);
                    if (tracker.EndsWithin(stream.AsSpan(at, size)) != expected)
                    {
                        return false;
                    }

                    tracker.Advance(stream.AsSpan(at, size));
                    at += size;
                }

                return true;
            }).QuickCheckThrowOnFailure();
}
