using System.Buffers.Binary;
using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>
/// A bulk stream over a long lane, which repairs a loss, and another one: when what the long one owes goes a second time, and when it gets nothing more.
/// </summary>
public sealed class LateLaneTests
{
    private const uint Long = 1;
    private const uint Other = 2;
    private const int LongRttMs = 300;
    private const long Rate = 500_000;

    private readonly SilentEvents _events = new();
    private readonly TrunkEngine _engine;
    private readonly EngineLane _long;
    private readonly EngineLane _other;
    private readonly EngineStream _stream;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly Queue<(long DueUs, long Count)> _acks = new();
    private long _now = 1_000_000;
    private int _otherRttMs = 120;
    private long _longRate = Rate;
    private bool _longLoses = true;

    public LateLaneTests()
    {
        _engine = new TrunkEngine(
            TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), _events);
        _long = _engine.AddLane(Long, LaneRole.Normal, _now);
        _other = _engine.AddLane(Other, LaneRole.Normal, _now);
        _stream = _engine.Open(new FlowTarget(IPAddress.Loopback, 80), FlowClass.Default, _now)!;
    }

    [Fact]
    public void What_a_repair_brings_sooner_than_a_copy_could_is_sent_once()
    {
        BeginBulk();
        BeLate(500, times: 10);
        long sentAt = GiveToLong();
        RunUntil(sentAt, (int)(1.4 * LongRttMs));
        _long.ResentBytes.ShouldBe(0);
    }

    [Fact]
    public void What_the_repair_did_not_bring_goes_again()
    {
        BeginBulk();
        BeLate(500, times: 10);
        long sentAt = GiveToLong();
        RunUntil(sentAt, 2 * LongRttMs);
        _long.ResentBytes.ShouldBePositive();
    }

    [Fact]
    public void A_copy_that_is_there_long_before_the_repair_goes_at_once()
    {
        _otherRttMs = 20;
        BeginBulk();
        BeLate(500, times: 10);
        long sentAt = GiveToLong();
        RunUntil(sentAt, (int)(1.25 * LongRttMs));
        _long.ResentBytes.ShouldBePositive();
    }

    [Fact]
    public void Late_for_the_first_time_it_had_no_place_that_allows_for_it()
    {
        BeginBulk();
        long sentAt = GiveToLong();
        RunUntil(sentAt, (int)(1.4 * LongRttMs));
        _long.ResentBytes.ShouldBePositive();
    }

    [Theory]
    [InlineData(Rate, true, false)]
    [InlineData(Rate / 20, true, true)]
    [InlineData(Rate, false, true)]
    public void A_lane_that_would_be_too_late_gets_bulk_if_others_can_replace_it_or_it_repairs_nothing(long rate, bool loses, bool takes)
    {
        _longRate = rate;
        _longLoses = loses;
        BeginBulk();
        RunUntil(_now, 20);
        BeLate(1_700, times: 100);
        bool taken = false;
        for (int i = 0; i < 100; i++)
        {
            Step();
            taken |= Taken();
        }

        taken.ShouldBe(takes);
    }

    [Fact]
    public void And_gets_it_again_after_it_had_nothing_under_way_for_a_while()
    {
        BeginBulk();
        BeLate(1_700, times: 100);
        long began = _now;
        RunUntil(began, 5_000);
        GiveToLong();
    }

    /// <summary>The stream is open and past what counts as small; both lanes have shown what they can.</summary>
    private void BeginBulk()
    {
        foreach (var (lane, rtt) in new[] { (_long, LongRttMs), (_other, _otherRttMs) })
        {
            lane.Estimate.Acknowledged(rtt * 1e3, 0, _now);
        }

        Step();
        byte[] reply = new byte[TrunkFrame.HeaderBytes + FlowProtocol.ReplyBytes];
        new TrunkFrame(TrunkFrameType.Reply, 0, FlowProtocol.ReplyBytes, _stream.Id, 1 << 30).Write(reply);
        FlowProtocol.WriteReply(reply.AsSpan(TrunkFrame.HeaderBytes), new FlowReply(OpenResult.Opened, null));
        _engine.Received(_other, reply, _now);
        _engine.Fill(_long, _buffer, _now);
        Acknowledge(_long, _long.SentCount);
        for (int i = 0; i < 2_000 && _stream.QuickTokens > 0; i++)
        {
            Step();
        }

        _stream.QuickTokens.ShouldBeLessThanOrEqualTo(0);
        _stream.Delivered.IsEmpty.ShouldBeTrue("the long lane has carried nothing of it");
    }

    private void BeLate(int tookMs, int times)
    {
        for (int i = 0; i < times; i++)
        {
            _long.Estimate.Acknowledged(tookMs * 1e3, 0, _now);
        }

        // And its usual delay, unless it knows no other.
        for (int i = 0; i < 100 && times < 100; i++)
        {
            _long.Estimate.Acknowledged(LongRttMs * 1e3, 0, _now);
        }
    }

    /// <returns>When.</returns>
    private long GiveToLong()
    {
        for (int i = 0; i < 2_000; i++)
        {
            Step();
            if (Taken())
            {
                return _now;
            }
        }

        throw new InvalidOperationException("the long lane takes nothing");
    }

    private bool Taken()
    {
        long before = _long.SentCount;
        _engine.Fill(_long, _buffer.AsSpan(0, 2 * TrunkFrame.HeaderBytes + 1400), _now);
        return _long.SentCount > before;
    }

    private void RunUntil(long fromUs, int ms)
    {
        while (_now - fromUs < ms * 1000L)
        {
            Step();
        }
    }

    /// <summary>A millisecond, in which the other lane does what it has to.</summary>
    private void Step()
    {
        _now += 1_000;
        Write();
        Read(_long, LongRttMs, _longRate);
        Read(_other, _otherRttMs, Rate);
        _engine.Tick(_now);
        if (_long.PingUnansweredSinceUs != 0)
        {
            byte[] pong = new byte[TrunkFrame.HeaderBytes];
            new TrunkFrame(TrunkFrameType.Pong, 0, 0, 0, _long.PingSentAtUs).Write(pong);
            _engine.Received(_long, pong, _now);
        }

        _engine.Fill(_other, _buffer, _now);
        _acks.Enqueue((_now + (_otherRttMs * 1000), _other.SentCount));
        while (_acks.TryPeek(out var ack) && ack.DueUs <= _now)
        {
            _acks.Dequeue();
            Acknowledge(_other, ack.Count);
        }
    }

    private void Write()
    {
        if (_stream.IsAnswered)
        {
            while (_engine.Write(_stream, _buffer, _now) > 0)
            {
            }
        }
    }

    private void Read(EngineLane lane, int rttMs, long rate) => _engine.Read(
        lane,
        new LaneReading
        {
            Rtt = TimeSpan.FromMilliseconds(rttMs),
            MinRtt = TimeSpan.FromMilliseconds(rttMs),
            DeliveryRateBytesPerSecond = rate,
            PacingRateBytesPerSecond = rate,
            CongestionWindowBytes = rate * rttMs / 500,
            InFlightBytes = lane.Sent.Count > 0 ? rate * rttMs / 1000 : 0,
            PipeBytes = lane.Sent.Count > 0 ? rate * rttMs / 1000 : 0,
            SinceAcknowledgement = TimeSpan.FromMilliseconds(1),
            RetransmittedSegments = lane == _long && _longLoses ? _now / 10_000 : 0,
        },
        _now);

    private void Acknowledge(EngineLane lane, long count)
    {
        byte[] ack = new byte[TrunkFrame.HeaderBytes + TrunkFrame.AckEntryBytes];
        new TrunkFrame(TrunkFrameType.Ack, 0, TrunkFrame.AckEntryBytes, 0, 0).Write(ack);
        BinaryPrimitives.WriteUInt32BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes), lane.Id);
        BinaryPrimitives.WriteInt64BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes + 4), count);
        _engine.Received(_other, ack, _now);
    }
}
