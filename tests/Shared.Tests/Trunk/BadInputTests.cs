using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Relay;
using Aggregator.Trunk;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>A peer that breaks the rules ends its lane or its session by a defined error, and nothing else.</summary>
public sealed class BadInputTests : ITrunkEvents
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

    [Fact]
    public void At_the_gateway_streams_that_were_never_opened_are_an_error()
    {
        var engine = new TrunkEngine(TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), this);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        Should.Throw<TrunkProtocolException>(() => engine.Received(lane, Frame(TrunkFrameType.Data, 0, 1, 0, 1), ++_now)).EndsSession.ShouldBeTrue();
    }

    [Fact]
    public void A_million_opens_are_answered_busy_and_cost_little()
    {
        var (engine, lane) = Vps();
        byte[] buffer = new byte[128 * 1024];
        for (uint id = 1; id <= 1_000_000; id++)
        {
            engine.Received(lane, Open(id), ++_now);
            if (id % 1000 == 0)
            {
                while (engine.Fill(lane, buffer, ++_now) > 0)
                {
                }

                // A peer that reads and acknowledges; one that does not is the next test's.
                engine.Received(lane, Ack(1, lane.SentCount), ++_now);
            }
        }

        engine.StreamCount.ShouldBe(new TrunkOptions().MaxStreams);
    }

    [Fact]
    public void A_peer_that_asks_and_never_reads_ends_its_session()
    {
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() =>
        {
            for (uint id = 1; id < 200_000; id++)
            {
                engine.Received(lane, Open(id), ++_now);
            }
        }).EndsSession.ShouldBeTrue();
    }

    [Fact]
    public void Stream_numbers_with_many_holes_are_an_error()
    {
        var (engine, lane) = Vps();
        Should.Throw<TrunkProtocolException>(() =>
        {
            for (uint id = 1; id < 100_000; id += 2)
            {
                engine.Received(lane, Frame(TrunkFrameType.Reset, 0, id, 0, 0), ++_now);
            }
        }).EndsSession.ShouldBeTrue();
    }

    [Fact]
    public void When_readers_leave_everything_lying_the_largest_goes_and_memory_stays_within_the_budget()
    {
        var budget = new TrunkBudget(2 << 20);
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), this);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        for (uint id = 1; id <= 200; id++)
        {
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, 0, 16_000), ++_now);
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, id, 16_000, 16_000), ++_now);
        }

        budget.ReceiveBytes.ShouldBeLessThanOrEqualTo(budget.Bytes);
        engine.StreamCount.ShouldBeLessThan(200);
    }

    /// <summary>Grants all the credit there is, takes everything, says nothing of it.</summary>
    [Fact]
    public void A_peer_that_never_acknowledges_makes_us_hold_no_more_than_the_budget()
    {
        const int streams = 200;
        var budget = new TrunkBudget(4 << 20);
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), budget, new TrunkOptions(), events);
        var lane = engine.AddLane(1, LaneRole.Normal, _now);
        byte[] buffer = new byte[128 * 1024];
        for (uint id = 1; id <= streams; id++)
        {
            engine.Received(lane, Open(id), ++_now);
            engine.Reply(events.OpenedStreams[^1], new FlowReply(OpenResult.Opened, null), ++_now);
            engine.Received(lane, Frame(TrunkFrameType.Credit, 0, id, 1L << 60, 0), ++_now);
        }

        for (int round = 0; round < 300; round++)
        {
            foreach (var stream in events.OpenedStreams)
            {
                engine.Write(stream, buffer.AsSpan(0, 64 * 1024), _now);
            }

            while (engine.Fill(lane, buffer, ++_now) > 0)
            {
            }

            engine.Tick(_now += 1000);
            budget.SendBytes.ShouldBeLessThanOrEqualTo(budget.Bytes + (streams * TrunkBudget.LeastOfStream));
            engine.Streams.Values.Sum(s => s.SendHeldBytes).ShouldBeLessThanOrEqualTo(budget.Bytes + (streams * 2L * BlockPool.BlockBytes));
        }
    }

    [Fact]
    public void Holes_that_are_never_filled_cost_no_more_than_the_window()
    {
        var (engine, lane) = Vps();
        for (long offset = 1; offset < TrunkEngine.EarlyWindowBytes; offset += 2)
        {
            engine.Received(lane, Frame(TrunkFrameType.Data, 0, 1, offset, 1), ++_now);
        }

        var stream = engine.Streams[1];
        stream.UnreadBytes.ShouldBe(0);
        stream.Ahead.Bytes.ShouldBe(TrunkEngine.EarlyWindowBytes / 2);
        stream.ReceiveHeldBytes.ShouldBeLessThanOrEqualTo(TrunkEngine.EarlyWindowBytes + BlockPool.BlockBytes);
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

    void ITrunkEvents.LaneHasWork(EngineLane lane)
    {
    }

    void ITrunkEvents.Readable(EngineStream stream)
    {
    }

    void ITrunkEvents.Writable(EngineStream stream)
    {
    }

    void ITrunkEvents.Answered(EngineStream stream, FlowReply reply)
    {
    }

    void ITrunkEvents.Opened(EngineStream stream)
    {
    }

    void ITrunkEvents.Broken(EngineStream stream, StreamBreak reason)
    {
    }

    void ITrunkEvents.PeerLeft(GoodbyeCode code)
    {
    }

    void ITrunkEvents.LaneStalled(EngineLane lane, bool isStalled)
    {
    }

    void ITrunkEvents.LaneGuarded(EngineLane lane)
    {
    }

    private (TrunkEngine Engine, EngineLane Lane) Vps()
    {
        var engine = new TrunkEngine(TrunkRole.Vps, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), this);
        return (engine, engine.AddLane(1, LaneRole.Normal, _now));
    }

    private static byte[] Open(uint id)
    {
        byte[] target = new byte[FlowProtocol.MaxOpenBytes];
        int length = FlowProtocol.WriteOpen(target, new FlowTarget(IPAddress.Loopback, 80));
        byte[] frame = Frame(TrunkFrameType.Open, 0, id, 1000, length);
        target.AsSpan(0, length).CopyTo(frame.AsSpan(TrunkFrame.HeaderBytes));
        return frame;
    }

    private static byte[] Ack(uint lane, long count)
    {
        byte[] frame = Frame(TrunkFrameType.Ack, 0, 0, 0, TrunkFrame.AckEntryBytes);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(TrunkFrame.HeaderBytes), lane);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(TrunkFrame.HeaderBytes + 4), count);
        return frame;
    }

    private static byte[] Frame(TrunkFrameType type, byte flags, uint stream, long value, int length)
    {
        byte[] bytes = new byte[TrunkFrame.HeaderBytes + length];
        new TrunkFrame(type, flags, length, stream, value).Write(bytes);
        return bytes;
    }
}
