using System.Net;
using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

public sealed class TrunkCodecTests
{
    private static readonly UInt128 Session = new(0x0001020304050607, 0x08090a0b0c0d0e0f);

    [Fact]
    public void The_examples_of_the_document_hold()
    {
        var offer = new LaneOffer(Session, 7, 0x1122334455667788, false, LaneRole.Normal, "fibre");
        Offer(offer).ShouldBe(Example("offer"));
        LaneHello.ReadOffer(Example("offer")).ShouldBe(offer);
        var accepted = new LaneAnswer(LaneAnswerStatus.Accepted, 0x1122334455667788, 0x0102030405060708);
        LaneHello.ReadAnswer(Example("answer accepted")).ShouldBe(accepted);
        Answer(accepted).ShouldBe(Example("answer accepted"));
        LaneHello.ReadAnswer(Example("answer unknown session")).Status.ShouldBe(LaneAnswerStatus.UnknownSession);

        Frame("data with fin").ShouldBe(new TrunkFrame(TrunkFrameType.Data, TrunkFrame.FinFlag, 5, 3, 65_536));
        Frame("open 192.0.2.7:443").ShouldBe(new TrunkFrame(TrunkFrameType.Open, 0, 9, 3, 256 * 1024));
        byte[] target = new byte[FlowProtocol.MaxOpenBytes];
        int length = FlowProtocol.WriteOpen(target, new FlowTarget(IPAddress.Parse("192.0.2.7"), 443));
        Example("open 192.0.2.7:443")[TrunkFrame.HeaderBytes..].ShouldBe(target[..length]);
        Frame("reset").ShouldBe(new TrunkFrame(TrunkFrameType.Reset, 0, 0, 3, 0));
        Frame("credit").ShouldBe(new TrunkFrame(TrunkFrameType.Credit, 0, 0, 3, 1 << 20));
        Frame("role backup").ShouldBe(new TrunkFrame(TrunkFrameType.Role, (byte)LaneRole.Backup, 0, 2, 0));
        Frame("goodbye").ShouldBe(new TrunkFrame(TrunkFrameType.Goodbye, 0, 0, 0, 0));
        Frame("ack").ShouldBe(new TrunkFrame(TrunkFrameType.Ack, 0, 2 * TrunkFrame.AckEntryBytes, 0, 0));
        Frame("ping").ShouldBe(new TrunkFrame(TrunkFrameType.Ping, 0, 0, 0, 5));
        Frame("unknown, skipped").Length.ShouldBe(2);
        DatagramFrame.TryRead(Frame("datagram"), out var datagram).ShouldBeTrue();
        datagram.ShouldBe(new DatagramFrame(3, 5, 0xcd, true, default, 3));
        datagram.BehindUs.ShouldBe(4000);
        datagram.ToFrame(20).ShouldBe(Frame("datagram"));
        foreach (string name in new[] { "data with fin", "open 192.0.2.7:443", "reset", "credit", "role backup", "goodbye", "ack", "ping", "datagram" })
        {
            byte[] again = new byte[TrunkFrame.HeaderBytes];
            Frame(name).Write(again);
            again.ShouldBe(Example(name)[..TrunkFrame.HeaderBytes]);
        }
    }

    /// <summary>Any header is refused by name, skipped, or means something that is written with the same bytes again.</summary>
    [Fact]
    public void Any_header_is_refused_or_understood_exactly()
    {
        var header = from type in Gen.Frequency((4, Gen.Choose(1, 8)), (2, Gen.Choose(0x81, 0x90)), (1, Gen.Choose(0, 255)))
                     from flags in Gen.Frequency((4, Gen.Choose(0, 2)), (1, Gen.Choose(0, 255)))
                     from length in Gen.Frequency((2, Gen.Constant(0)), (1, Gen.Constant(22)), (2, Gen.Choose(0, 65_535)))
                     from stream in ArbMap.Default.GeneratorFor<uint>()
                     from value in Gen.Frequency((1, Gen.Constant(0L)), (1, ArbMap.Default.GeneratorFor<long>()))
                     select new TrunkFrame((TrunkFrameType)type, (byte)flags, length, stream, value);
        Prop.ForAll(header.ToArbitrary(), frame =>
        {
            byte[] bytes = new byte[TrunkFrame.HeaderBytes];
            frame.Write(bytes);
            try
            {
                return TrunkFrame.Read(bytes) == frame;
            }
            catch (TrunkProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_hello_is_refused_or_understood_exactly()
    {
        var offer = from head in ArbMap.Default.GeneratorFor<byte>().ArrayOf(LaneHello.OfferHeaderBytes)
                    from name in ArbMap.Default.GeneratorFor<byte>().ArrayOf(LaneHello.MaxLinkBytes)
                    from length in Gen.Choose(0, 70)
                    from tidy in ArbMap.Default.GeneratorFor<bool>()
                    select Make(head, name, length, tidy);
        Prop.ForAll(offer.ToArbitrary(), bytes =>
        {
            try
            {
                int length = LaneHello.OfferHeaderBytes + LaneHello.ReadLinkBytes(bytes);
                return Offer(LaneHello.ReadOffer(bytes)).AsSpan().SequenceEqual(bytes.AsSpan(0, length));
            }
            catch (TrunkProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

        Prop.ForAll(ArbMap.Default.GeneratorFor<byte>().ArrayOf(LaneHello.AnswerBytes).ToArbitrary(), bytes =>
        {
            bytes[0] = 0xa0;
            bytes[1] = 1;
            bytes[3] = (byte)(bytes[3] & 1);
            try
            {
                return Answer(LaneHello.ReadAnswer(bytes)).AsSpan().SequenceEqual(bytes);
            }
            catch (TrunkProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>The set against the plainest model there is.</summary>
    [Fact]
    public void Intervals_are_what_a_set_of_numbers_would_be()
    {
        var steps = from start in Gen.Choose(0, 60)
                    from length in Gen.Choose(0, 12)
                    from adds in ArbMap.Default.GeneratorFor<bool>()
                    select (start, length, adds);
        Prop.ForAll(steps.ListOf().ToArbitrary(), list =>
        {
            var set = default(IntervalSet);
            var model = new SortedSet<int>();
            foreach (var (start, length, adds) in list)
            {
                int before = model.Count;
                var numbers = Enumerable.Range(start, length);
                long changed = adds ? set.Add(start, start + length) : set.Remove(start, start + length);
                if (adds)
                {
                    model.UnionWith(numbers);
                }
                else
                {
                    model.ExceptWith(numbers);
                }

                var got = Enumerable.Range(0, set.Count).SelectMany(i => Enumerable.Range((int)set[i].Start, (int)(set[i].End - set[i].Start)));
                bool apart = Enumerable.Range(1, Math.Max(0, set.Count - 1)).All(i => set[i - 1].End < set[i].Start);
                bool contains = Enumerable.Range(0, 60).All(i => set.Contains(i, i + 3) == Enumerable.Range(i, 3).All(model.Contains));
                if (changed != Math.Abs(model.Count - before) || set.Bytes != model.Count || !apart || !contains || !got.SequenceEqual(model))
                {
                    return false;
                }
            }

            return true;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task Lanes_for_another_gateways_session_and_replayed_offers_are_refused()
    {
        var registry = new TrunkRegistry();
        var budget = new TrunkBudget(TrunkBudget.MinBytes);
        TrunkSession Make(UInt128 id) => new(
            TrunkRole.Vps, id, "test", null, budget, new TrunkOptions(), TimeProvider.System, NullLogger.Instance);
        var mine = KeyPin.FromHash(new byte[32]);
        var other = KeyPin.FromHash([.. Enumerable.Repeat((byte)1, 32)]);
        var offer = new LaneOffer(Session, 1, 5, false, LaneRole.Normal, "a");
        registry.Admit(mine, offer with { JoinOnly = true }, Make).Answer.ShouldBe(new LaneAnswer(LaneAnswerStatus.UnknownSession, 5, 0));
        var first = registry.Admit(mine, offer, Make);
        first.Answer.Status.ShouldBe(LaneAnswerStatus.Accepted);
        registry.Admit(mine, offer, Make).Answer.Status.ShouldBe(LaneAnswerStatus.Replayed);
        registry.Admit(other, offer with { LaneId = 2 }, Make).Answer.ShouldBe(new LaneAnswer(LaneAnswerStatus.UnknownSession, 5, 0));
        var second = registry.Admit(mine, offer with { LaneId = 2, JoinOnly = true }, Make);
        second.Session.ShouldBeSameAs(first.Session);
        second.Answer.Instance.ShouldBe(first.Answer.Instance);
        await first.Session!.DisposeAsync();
        for (int i = 0; registry.Snapshot().Length > 0; i++)
        {
            i.ShouldBeLessThan(500);
            await Task.Delay(10);
        }
    }

    private static byte[] Make(byte[] head, byte[] name, int length, bool tidy)
    {
        head[0] = 0x20;
        head[1] = 1;
        head[2] &= 1;
        head[3] &= 1;
        head[32] = (byte)length;
        return [.. head, .. tidy ? name.Select(b => (byte)('a' + (b % 26))) : name];
    }

    private static byte[] Offer(LaneOffer offer)
    {
        byte[] bytes = new byte[LaneHello.MaxOfferBytes];
        return bytes[..LaneHello.WriteOffer(bytes, offer)];
    }

    private static byte[] Answer(LaneAnswer answer)
    {
        byte[] bytes = new byte[LaneHello.AnswerBytes];
        LaneHello.WriteAnswer(bytes, answer);
        return bytes;
    }

    private static TrunkFrame Frame(string name) => TrunkFrame.Read(Example(name));

    private static byte[] Example(string name)
    {
        string directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Aggregator.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new FileNotFoundException("the repository's root");
        }

        string line = File.ReadLines(Path.Combine(directory, "proto", "trunk.md")).Single(l => l.StartsWith(name + "  ", StringComparison.Ordinal));
        return Convert.FromHexString(line[name.Length..].Replace(" ", "", StringComparison.Ordinal));
    }
}
