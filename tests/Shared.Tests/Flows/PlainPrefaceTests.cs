using System.Security.Cryptography;
using Aggregator.Flows;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Flows;

public sealed class PlainPrefaceTests
{
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(PlainPreface.KeyBytes);
    private static readonly byte[] Session = RandomNumberGenerator.GetBytes(PlainPreface.SessionIdBytes);

    [Fact]
    public void A_preface_is_read_back_and_proven() =>
        Prop.ForAll(ArbMap.Default.ArbFor<ulong>(), counter =>
        {
            byte[] preface = Write(counter);
            return PlainPreface.TryRead(preface, out var session, out ulong read)
                && session.SequenceEqual(Session) && read == counter && PlainPreface.Verify(preface, Key)
                && preface[0] == PlainPreface.FirstByte && preface[0] != 0x16;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_single_changed_bit_is_refused() =>
        Prop.ForAll(Gen.Choose(0, (PlainPreface.Bytes * 8) - 1).ToArbitrary(), bit =>
        {
            byte[] preface = Write(7);
            preface[bit / 8] ^= (byte)(1 << (bit % 8));
            return !PlainPreface.TryRead(preface, out _, out _) || !PlainPreface.Verify(preface, Key);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_bytes_are_refused() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
            !PlainPreface.TryRead(bytes, out _, out _) || !PlainPreface.Verify(bytes, Key)).QuickCheckThrowOnFailure();

    [Fact]
    public void Another_key_proves_nothing() =>
        PlainPreface.Verify(Write(1), RandomNumberGenerator.GetBytes(PlainPreface.KeyBytes)).ShouldBeFalse();

    /// <summary>Against the plainest model there is: a set of what was seen, and the newest.</summary>
    [Fact]
    public void The_window_accepts_each_counter_once() =>
        Prop.ForAll(
            (from start in Gen.OneOf(Gen.Constant(0UL), Gen.Constant(ulong.MaxValue - 5000), Gen.Choose(0, int.MaxValue).Select(i => (ulong)i))
             from steps in Gen.Choose(0, 5000).Select(i => start + (ulong)i).ListOf()
             select steps.ToArray()).ToArbitrary(),
            counters =>
            {
                var window = new ReplayWindow();
                var seen = new HashSet<ulong>();
                ulong newest = 0;
                foreach (ulong counter in counters)
                {
                    bool fresh = seen.Count == 0 || counter > newest || (newest - counter < ReplayWindow.Size && !seen.Contains(counter));
                    if (window.TryAccept(counter) != fresh)
                    {
                        return false;
                    }

                    if (fresh)
                    {
                        seen.Add(counter);
                        newest = seen.Count == 1 ? counter : Math.Max(newest, counter);
                    }
                }

                return true;
            }).QuickCheckThrowOnFailure();

    private static byte[] Write(ulong counter)
    {
        byte[] preface = new byte[PlainPreface.Bytes];
        PlainPreface.Write(preface, Session, counter, Key);
        return preface;
    }
}
