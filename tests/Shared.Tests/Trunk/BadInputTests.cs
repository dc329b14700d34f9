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
