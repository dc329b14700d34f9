using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;
using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;
using static Aggregator.Shared.Tests.Trunk.PeerFrames;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>A peer that breaks the rules ends its lane or its session by a defined error, and nothing else.</summary>
public sealed class BadInputTests
{
    private long _now = 1;

    public static TheoryData<string, byte[]> EndTheSession() => new()
    {
        { "stream 0", Frame(TrunkFrameType.Data, 0, 0, 0, 1) },
        { "beyond the window", Frame(TrunkFrameType.Data, 0, 1, 1L << 30, 10) },
        { "an unknown counted frame", Frame((TrunkFrameType)0x3f, 0, 0, 0, 0) },
        { "acknowledgements of what was never sent", Ack(1, 1000) },
        { "a reply from the gateway", Frame(TrunkFrameType.Reply, 0, 1, 0, FlowProtocol.ReplyBytes) },
        { "two ends", [.. Frame(TrunkFrameType.Data, 1, 1, 10, 0), .. Frame(TrunkFrameType.Data, 1, 1, 11, 0)] },
        { "bytes behind the end", [.. Frame(TrunkFrameType.Data, 1, 1, 10, 0), .. Frame(TrunkFrameType.Data, 0, 1, 10, 5)] },
        { "an open without a target", Frame(TrunkFrameType.Open, 0, 1, 1000, 3) },
        { "an open with another length", Frame(TrunkFrameType.Open, 0, 1, 1000, 20) },
        { "an early end", [.. Frame(TrunkFrameType.Data, 0, 1, 100, 10), .. Frame(TrunkFrameType.Data, 1, 1, 50, 0)] },
        { "a byte beyond what was granted", Frame(TrunkFrameType.Data, 0, 1, TrunkEngine.EarlyWindowBytes, 1) },
        { "as many acknowledgements as there are numbers", Ack(1, long.MaxValue) },
        { "a reset of stream 0", Frame(TrunkFrameType.Reset, 0, 0, 0, 0) },
        { "credit for stream 0", Frame(TrunkFrameType.Credit, 0, 0, 100, 0) },
    };

    /// <summary>What a VPS must not send.</summary>
    public static TheoryData<string, byte[]> EndTheGatewaysSession() => new()
    {
        { "data of a stream that was never opened", Frame(TrunkFrameType.Data, 0, 2, 0, 1) },
        { "data of stream 0", Frame(TrunkFrameType.Data, 0, 0, 0, 1) },
        { "a reply to nothing", Frame(TrunkFrameType.Reply, 0, 2, 0, FlowProtocol.ReplyBytes) },
        { "a reset of nothing", Frame(TrunkFrameType.Reset, 0, 2, 0, 0) },
        { "credit for nothing", Frame(TrunkFrameType.Credit, 0, 2, 100, 0) },
        { "a reply that says nothing known", [.. Frame(TrunkFrameType.Reply, 0, 1, 0, 0)[..2], 0, FlowProtocol.ReplyBytes, 0, 0, 0, 1, .. new byte[8], .. Enumerable.Repeat((byte)0xff, FlowProtocol.ReplyBytes)] },
        { "an open", Open(2) },
        { "a role", Frame(TrunkFrameType.Role, 1, 1, 0, 0) },
        { "beyond the window", Frame(TrunkFrameType.Data, 0, 1, 1L << 30, 10) },
        { "acknowledgements of what was never sent", Ack(1, 2) },
    };

    public static TheoryData<string, byte[]> EndTheLane() => new()
    {
        { "data without bytes", Frame(TrunkFrameType.Data, 0, 1, 0, 0) },
        { "too much data", Frame(TrunkFrameType.Data, 0, 1, 0, TrunkFrame.MaxDataBytes + 1) },
        { "unknown flags", Frame(TrunkFrameType.Data, 2, 1, 0, 1) },
        { "a negative offset", Frame(TrunkFrameType.Data, 0, 1, -1, 1) },
        { "half an acknowledgement", Frame(TrunkFrameType.Ack, 0, 0, 0, 11) },
        { "no acknowledgement", Frame(TrunkFrameType.Ack, 0, 0, 0, 0) },
        { "too many acknowledgements", Frame(TrunkFrameType.Ack, 0, 0, 0, 33 * TrunkFrame.AckEntryBytes) },
        { "an open longer than any", Frame(TrunkFrameType.Open, 0, 1, 0, TrunkFrame.MaxControlBytes + 1) },
        { "an unknown class", Frame(TrunkFrameType.Open, 2, 1, 0, 10) },
        { "a credit with a body", Frame(TrunkFrameType.Credit, 0, 1, 0, 1) },
        { "a credit below zero", Frame(TrunkFrameType.Credit, 0, 1, -5, 0) },
        { "an offset where sums would overflow", Frame(TrunkFrameType.Data, 0, 1, TrunkFrame.MaxOffset + 1, 1) },
        { "an open without a body", Frame(TrunkFrameType.Open, 0, 1, 0, 0) },
        { "half a reply", Frame(TrunkFrameType.Reply, 0, 1, 0, FlowProtocol.ReplyBytes - 1) },
        { "a reset with a body", Frame(TrunkFrameType.Reset, 0, 1, 0, 1) },
        { "a reset with a value", Frame(TrunkFrameType.Reset, 0, 1, 1, 0) },
        { "an unknown role", Frame(TrunkFrameType.Role, 2, 1, 0, 0) },
        { "a role with a body", Frame(TrunkFrameType.Role, 0, 1, 0, 1) },
        { "a goodbye with a body", Frame(TrunkFrameType.Goodbye, 0, 0, 0, 1) },
        { "a ping with a body", Frame(TrunkFrameType.Ping, 0, 0, 0, 1) },
        { "a pong with a body", Frame(TrunkFrameType.Pong, 0, 0, 0, 1) },
        { "a datagram without a header", Frame(TrunkFrameType.Datagram, 0, 0, 0, 19) },
    };

    [Theory]
    [MemberData(nameof(EndTheSession))]
    public void These_end_the_session(string what, byte[] bytes)
    {
        what.ShouldNotBeEmpty();
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() => engine.Received(lane, bytes, ++_now)).EndsSession.ShouldBeTrue();
    }

    [Theory]
    [MemberData(nameof(EndTheLane))]
    public void These_end_the_lane(string what, byte[] bytes)
    {
        what.ShouldNotBeEmpty();
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() => engine.Received(lane, bytes, ++_now)).EndsSession.ShouldBeFalse();
    }

    [Fact]
    public void Unknown_frames_that_may_be_skipped_are_skipped()
    {
        var (engine, lane) = Vps();
        engine.Received(lane, Frame((TrunkFrameType)0xc0, 5, 9, -7, 60_000), ++_now);
        engine.Received(lane, Frame(TrunkFrameType.Datagram, 0, 0, 0, 1200), ++_now);
        lane.Parser.IsBetweenFrames.ShouldBeTrue();
        lane.ReceivedCount.ShouldBe(0);
    }

    [Theory]
    [MemberData(nameof(EndTheGatewaysSession))]
    public void These_end_the_session_at_the_gateway(string what, byte[] bytes)
    {
        what.ShouldNotBeEmpty();
        var engine = new TrunkEngine(TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), new SilentEvents());
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        engine.Open(new FlowTarget("example.net", 80), FlowClass.Default, _now).ShouldNotBeNull().Id.ShouldBe(1u);
        engine.Fill(lane, new byte[1000], ++_now).ShouldBeGreaterThan(0);
        Should.Throw<TrunkProtocolException>(() => engine.Received(lane, bytes, ++_now)).EndsSession.ShouldBeTrue();
    }

    /// <summary>They are under way when it ends, and come twice when lanes fail.</summary>
    [Fact]
    public void Frames_for_a_stream_that_is_over_are_counted_and_hold_nothing()
    {
        var budget = new TrunkBudget(TrunkBudget.MinBytes);
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        engine.Received(lane, [.. Open(1), .. Frame(TrunkFrameType.Reset, 0, 1, 0, 0)], ++_now);
        events.BrokenStreams.ShouldHaveSingleItem().Reason.ShouldBe(StreamBreak.Aborted);
        engine.Received(
            lane,
            [
                .. Frame(TrunkFrameType.Data, 0, 1, 0, 5000), .. Frame(TrunkFrameType.Data, 1, 1, 1L << 40, 0), .. Frame(TrunkFrameType.Credit, 0, 1, 1L << 40, 0),
                .. Open(1), .. Frame(TrunkFrameType.Reset, 0, 1, 0, 0),

                // A reset that overtook its open.
                .. Frame(TrunkFrameType.Reset, 0, 2, 0, 0), .. Open(2), .. Frame(TrunkFrameType.Data, 0, 2, 0, 5000),
            ],
            ++_now);
        lane.ReceivedCount.ShouldBe(10);
        engine.StreamCount.ShouldBe(0);
        events.OpenedStreams.Count.ShouldBe(1);
        events.BrokenStreams.Count.ShouldBe(1);
        (budget.ReceiveBytes, budget.PromisedBytes, budget.SendBytes).ShouldBe((0, 0, 0));
    }

    /// <summary>Pieces of one stream that overlap each other in any way, come more than once and in any order, on lanes of any kind.</summary>
    [Fact]
    public void Overlapping_pieces_in_any_order_are_one_stream() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            byte[] all = new byte[20_000];
            random.NextBytes(all);
            var (engine, lane) = Vps();
            var second = engine.AddLane(2, LaneRole.Normal, _now);
            var got = new List<byte>();
            byte[] room = new byte[30_000];
            while (got.Count < all.Length)
            {
                int start = Math.Min(all.Length - 1, Math.Max(0, got.Count - 500 + random.Next(6000)));
                int count = 1 + random.Next(Math.Min(3000, all.Length - start));
                byte[] frame = Frame(TrunkFrameType.Data, 0, 1, start, count);
                all.AsSpan(start, count).CopyTo(frame.AsSpan(TrunkFrame.HeaderBytes));
                engine.Received(random.Next(2) == 0 ? lane : second, frame, ++_now);
                if (random.Next(3) == 0 && engine.Streams[1] is { UnreadBytes: > 0 } stream)
                {
                    int read = engine.Read(stream, room.AsSpan(0, 1 + random.Next(5000)), ++_now);
                    got.AddRange(room.AsSpan(0, read));
                }
            }

            return got.SequenceEqual(all);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    /// <summary>Whatever comes, in whatever pieces: a defined error or nothing.</summary>
    [Fact]
    public void Any_bytes_in_any_pieces_are_an_error_or_nothing()
    {
        var frames = from type in Gen.Elements<byte>(1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0x82, 0x83, 0x90, 0xff)
                     from flags in Gen.Frequency((5, Gen.Constant(0)), (2, Gen.Constant(1)), (1, Gen.Choose(0, 255)))
                     from length in Gen.Frequency((3, Gen.Constant(0)), (3, Gen.Choose(0, 600)), (1, Gen.Choose(0, 20_000)))
                     from stream in Gen.Choose(0, 5)
                     from value in Gen.Frequency((4, Gen.Choose(0, 70_000)), (1, Gen.Constant(int.MaxValue)))
                     select Frame((TrunkFrameType)type, (byte)flags, (uint)stream, value, length);
        Prop.ForAll(frames.ListOf().ToArbitrary(), list =>
        {
            var (engine, lane) = Vps();
            byte[] bytes = [.. list.SelectMany(f => f)];
            try
            {
                for (int at = 0; at < bytes.Length;)
                {
                    int piece = Math.Min(bytes.Length - at, 1 + (at * 7919 % 3000));
                    engine.Received(lane, bytes.AsSpan(at, piece), ++_now);
                    engine.Tick(_now += 1000);
                    at += piece;
                }
            }
            catch (TrunkProtocolException)
            {
            }

            engine.BreakAll(StreamBreak.SessionLost);
            return true;
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>The same through sockets: the session ends, its peer is told, another session of the process goes on.</summary>
    [Fact]
    public async Task A_broken_peer_ends_its_session_and_not_the_daemon()
    {
        await using var good = new TrunkPair();
        await good.AddLaneAsync();
        var (client, server) = await TrunkPair.ConnectAsync();
        var session = new TrunkSession(
            TrunkRole.Vps, 9, "bad", good, new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), TimeProvider.System, NullLogger.Instance);
        session.AddLane(new LaneTransport(1, "a", LaneRole.Normal, new SocketByteStream(server), new TcpMeter(server)));
        await client.SendAsync(Frame(TrunkFrameType.Data, 0, 0, 0, 1));
        var end = await session.Ended.WaitAsync(TimeSpan.FromSeconds(20));
        end.Reason.ShouldBe(TrunkEndReason.ProtocolError);
        byte[] told = new byte[TrunkFrame.HeaderBytes];
        await new NetworkStream(client).ReadExactlyAsync(told);
        TrunkFrame.Read(told).ShouldBe(new TrunkFrame(TrunkFrameType.Goodbye, (byte)GoodbyeCode.ProtocolError, 0, 0, 0));
        client.Dispose();
        await good.OpenAsync();
    }

    private (TrunkEngine Engine, EngineLane Lane) Vps()
    {
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), new SilentEvents());
        return (engine, engine.AddLane(1, LaneRole.Normal, _now));
    }
}
