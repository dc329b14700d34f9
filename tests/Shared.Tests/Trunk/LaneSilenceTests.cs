using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>
/// When a lane over which only a ping is under way counts as silent: not while the peer's bytes keep coming on it, nor while its TCP has the
/// ping and only the answer waits (behind what it sends itself); soon, where its TCP does not answer either.
/// </summary>
public sealed class LaneSilenceTests
{
    private const long StepUs = 5_000;
    private const int RttMs = 600;

    private readonly SilentEvents _events = new();
    private readonly TrunkEngine _engine;
    private readonly EngineLane _lane;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private long _now = 1_000_000;

    public LaneSilenceTests()
    {
        _engine = new TrunkEngine(
            TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), _events);
        _lane = _engine.AddLane(1, LaneRole.Normal, _now);
        _engine.Open(new FlowTarget(IPAddress.Loopback, 80), FlowClass.Default, _now).ShouldNotBeNull();
        Step(unacknowledged: false, receives: false);

        // The open has arrived; from now on there are only pings.
        byte[] ack = new byte[TrunkFrame.HeaderBytes + TrunkFrame.AckEntryBytes];
        new TrunkFrame(TrunkFrameType.Ack, 0, TrunkFrame.AckEntryBytes, 0, 0).Write(ack);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes), 1);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes + 4), _lane.SentCount);
        _engine.Received(_lane, ack, _now);
        _lane.Sent.Count.ShouldBe(0);
    }

    [Fact]
    public void Not_while_bytes_keep_coming()
    {
        Run(seconds: 20, unacknowledged: true, receives: true).ShouldBeNull();
        _lane.PingUnansweredSinceUs.ShouldNotBe(0, "a ping is under way");
    }

    [Fact]
    public void Not_soon_while_the_peers_TCP_has_the_ping() =>
        Run(seconds: 30, unacknowledged: false, receives: false).ShouldNotBeNull().ShouldBeInRange(4.0, 12.0);

    [Fact]
    public void Soon_when_its_TCP_is_silent_too() =>
        Run(seconds: 30, unacknowledged: true, receives: false).ShouldNotBeNull().ShouldBeInRange(1.0, 4.0);

    /// <returns>After how many seconds the lane counted as silent.</returns>
    private double? Run(int seconds, bool unacknowledged, bool receives)
    {
        long began = _now;
        while (_now - began < seconds * 1_000_000L)
        {
            Step(unacknowledged, receives);
            if (_lane.StalledSinceUs is { } at)
            {
                return (at - began) / 1e6;
            }
        }

        return null;
    }

    private void Step(bool unacknowledged, bool receives)
    {
        _now += StepUs;
        bool waits = unacknowledged && _lane.PingUnansweredSinceUs != 0;
        var reading = new LaneReading
        {
            Rtt = TimeSpan.FromMilliseconds(RttMs),
            MinRtt = TimeSpan.FromMilliseconds(RttMs),
            CongestionWindowBytes = 14_000,
            InFlightBytes = waits ? 1400 : 0,
            SinceAcknowledgement = TimeSpan.FromMicroseconds(waits ? _now - _lane.PingUnansweredSinceUs : 0),
        };
        _engine.Read(_lane, reading, _now);
        _engine.Fill(_lane, _buffer, _now);
        if (receives)
        {
            byte[] data = new byte[TrunkFrame.HeaderBytes];
            new TrunkFrame(TrunkFrameType.Ping, 0, 0, 0, _now).Write(data);
            _engine.Received(_lane, data, _now);
        }

        _engine.Tick(_now);
    }
}
