using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>
/// The guard, with a network that does as the test says: how much is delivered in each 10 ms with the second lane and without it, and what part of
/// the second lane's bytes had to go again.
/// </summary>
public sealed class GuardTests
{
    private const long StepUs = 10_000;
    private const int StepsASecond = 100;

    private readonly SilentEvents _events = new();
    private readonly TrunkEngine _engine;
    private readonly EngineLane _first;
    private readonly EngineLane _second;
    private readonly EngineStream _stream;
    private readonly byte[] _buffer = new byte[128 * 1024];
    private readonly Queue<long>[] _arriving = [new(), new()];
    private long _now = 1_000_000;
    private bool _writes = true;

    public GuardTests()
    {
        _engine = new TrunkEngine(
            TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), _events);
        _first = _engine.AddLane(1, LaneRole.Normal, _now);
        _second = _engine.AddLane(2, LaneRole.Normal, _now);
        _stream = _engine.Open(new FlowTarget(IPAddress.Loopback, 80), FlowClass.Default, _now)!;
        byte[] reply = new byte[TrunkFrame.HeaderBytes + FlowProtocol.ReplyBytes];
        new TrunkFrame(TrunkFrameType.Reply, 0, FlowProtocol.ReplyBytes, _stream.Id, 1L << 50).Write(reply);
        FlowProtocol.WriteReply(reply.AsSpan(TrunkFrame.HeaderBytes), new FlowReply(OpenResult.Opened, null));
        _engine.Received(_first, reply, _now);
    }

    private bool IsOut => _second.Guard.DemotedUntilUs is not null;

    [Fact]
    public void A_lane_that_lowers_the_total_is_put_out_with_both_figures_and_tried_again_later_and_later()
    {
        var harmful = new Network(FirstWith: 20_000, SecondWith: 8_000, FirstWithout: 45_000, AgainPart: 0.6);
        TimeSpan found = RunUntil(harmful, () => _events.GuardedLanes.Count > 0, seconds: 120);
        found.ShouldBeLessThan(TimeSpan.FromSeconds(60));
        _events.GuardedLanes.ShouldHaveSingleItem().ShouldBe(_second);
        IsOut.ShouldBeTrue();
        var guard = _second.Guard;
        guard.WithBytesPerSecond!.Value.ShouldBeInRange(2.3e6, 3.2e6);
        guard.WithoutBytesPerSecond!.Value.ShouldBeInRange(4.0e6, 5.0e6);
        (guard.DemotedUntilUs!.Value - _now).ShouldBeInRange(9_000_000, 10_100_000);

        // It takes nothing while it is out.
        long sent = _second.SentPayloadBytes;
        Run(harmful, 8);
        _second.SentPayloadBytes.ShouldBe(sent);

        // It is let in, found out again, and stays out for twice as long.
        RunUntil(harmful, () => !IsOut, seconds: 5);
        _events.GuardedLanes.Count.ShouldBe(2);
        Run(harmful, 2);
        _second.SentPayloadBytes.ShouldBeGreaterThan(sent);
        RunUntil(harmful, () => _events.GuardedLanes.Count == 3, seconds: 120);
        IsOut.ShouldBeTrue();
        (guard.DemotedUntilUs!.Value - _now).ShouldBeInRange(19_000_000, 20_100_000);
    }

    [Fact]
    public void A_lane_that_was_put_out_and_does_well_again_stays_in()
    {
        RunUntil(new Network(20_000, 8_000, 45_000, 0.6), () => _events.GuardedLanes.Count > 0, seconds: 120);
        var well = new Network(45_000, 15_000, 45_000, 0.01);
        RunUntil(well, () => !IsOut, seconds: 15);
        int events = _events.GuardedLanes.Count;
        Run(well, 60);
        IsOut.ShouldBeFalse();
        _events.GuardedLanes.Count.ShouldBe(events);
    }

    [Fact]
    public void A_suspect_without_which_the_total_is_lower_stays_in_and_is_left_alone()
    {
        var useful = new Network(30_000, 15_000, 32_000, 0.6);
        RunUntil(useful, () => _events.GuardedLanes.Count > 0, seconds: 120);
        IsOut.ShouldBeFalse();
        _second.Guard.WithBytesPerSecond!.Value.ShouldBeGreaterThan(_second.Guard.WithoutBytesPerSecond!.Value);
        _second.Guard.SpareUntilUs.ShouldBeGreaterThan(_now);
        bool out_ = false;
        for (int i = 0; i < 9 * StepsASecond; i++)
        {
            Step(useful);
            out_ |= IsOut;
        }

        out_.ShouldBeFalse();
    }

    /// <summary>A total that rises by itself is higher without the lane than it was with it before; the look afterwards tells.</summary>
    [Fact]
    public void A_start_does_not_speak_against_whoever_is_out_meanwhile()
    {
        int first = 8_000;
        for (int second = 0; second < 60 && _events.GuardedLanes.Count == 0; second++)
        {
            // Eight percent more each second, whoever takes part.
            first = Math.Min(90_000, first + (first * 8 / 100));
            Run(new Network(first, first / 4, first, 0.6), 1);
        }

        _events.GuardedLanes.ShouldHaveSingleItem();
        IsOut.ShouldBeFalse();
    }

    [Fact]
    public void Lanes_whose_frames_need_not_go_again_are_never_put_out()
    {
        for (int i = 0; i < 90 * StepsASecond; i++)
        {
            Step(new Network(30_000, 3_000, 45_000, 0.2));
            IsOut.ShouldBeFalse();
        }

        _second.Guard.WithBytesPerSecond.ShouldBeNull();
    }

    [Fact]
    public void Without_traffic_nothing_is_decided()
    {
        _writes = false;
        for (int i = 0; i < 60 * StepsASecond; i++)
        {
            _second.ResentBytes += 1000;
            Step(new Network(30_000, 3_000, 45_000, 0.9));
            IsOut.ShouldBeFalse();
        }
    }

    private void Run(Network network, double seconds)
    {
        for (int i = 0; i < seconds * StepsASecond; i++)
        {
            Step(network);
        }
    }

    private TimeSpan RunUntil(Network network, Func<bool> condition, int seconds)
    {
        long began = _now;
        for (int i = 0; i < seconds * StepsASecond; i++)
        {
            Step(network);
            if (condition())
            {
                return TimeSpan.FromMicroseconds(_now - began);
            }
        }

        throw new ShouldAssertException($"not within {seconds} s: sent {_first.SentPayloadBytes} and {_second.SentPayloadBytes}, again {_second.ResentBytes}, delivered {_engine.DeliveredBytes}, {_second.Guard.SuspectPeriods} suspect periods, out {IsOut}");
    }

    private void Step(Network network)
    {
        _now += StepUs;
        _engine.Tick(_now);
        while (_writes && _engine.Write(_stream, new byte[64 * 1024], _now) == 64 * 1024)
        {
        }

        long before = _second.SentPayloadBytes;
        Move(_second, 60, network.SecondWith);
        Move(_first, 20, IsOut ? network.FirstWithout : network.FirstWith);
        _second.ResentBytes += (long)((_second.SentPayloadBytes - before) * network.AgainPart);
        byte[] ack = new byte[TrunkFrame.HeaderBytes + (2 * TrunkFrame.AckEntryBytes)];
        new TrunkFrame(TrunkFrameType.Ack, 0, 2 * TrunkFrame.AckEntryBytes, 0, 0).Write(ack);
        Entry(ack.AsSpan(TrunkFrame.HeaderBytes), _first, _arriving[0], 2);
        Entry(ack.AsSpan(TrunkFrame.HeaderBytes + TrunkFrame.AckEntryBytes), _second, _arriving[1], 6);
        _engine.Received(_first, ack, _now);
    }

    /// <summary>What was sent so many steps ago has arrived.</summary>
    private static void Entry(Span<byte> entry, EngineLane lane, Queue<long> arriving, int steps)
    {
        arriving.Enqueue(lane.SentCount);
        long arrived = arriving.Count > steps ? arriving.Dequeue() : 0;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(entry, lane.Id);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(entry[4..], arrived);
    }

    private void Move(EngineLane lane, int rttMs, int bytes)
    {
        _engine.Read(
            lane,
            new LaneReading
            {
                Rtt = TimeSpan.FromMilliseconds(rttMs),
                MinRtt = TimeSpan.FromMilliseconds(rttMs),
                DeliveryRateBytesPerSecond = bytes * StepsASecond,
                PacingRateBytesPerSecond = 20_000_000,
                CongestionWindowBytes = 1 << 20,
            },
            _now);
        int count = _engine.Fill(lane, _buffer.AsSpan(0, Math.Max(2000, bytes)), _now);
        for (int at = 0; at < count;)
        {
            var frame = TrunkFrame.Read(_buffer.AsSpan(at));
            at += TrunkFrame.HeaderBytes + frame.Length;
            if (frame.Type == TrunkFrameType.Ping)
            {
                // A lane that carries nothing is pinged, and would be held for dead.
                byte[] pong = new byte[TrunkFrame.HeaderBytes];
                new TrunkFrame(TrunkFrameType.Pong, 0, 0, 0, frame.Value).Write(pong);
                _engine.Received(lane, pong, _now);
            }
        }
    }

    /// <summary>Bytes that lanes take in a step.</summary>
    private readonly record struct Network(int FirstWith, int SecondWith, int FirstWithout, double AgainPart);
}
