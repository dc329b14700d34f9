using System.Buffers.Binary;
using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>A lane that is not wanted any more ends with the last acknowledgement of what it had under way, over whichever lane that comes.</summary>
public sealed class RetiringLaneTests
{
    [Fact]
    public void Its_writer_is_woken_when_the_last_of_it_is_acknowledged_over_another_lane()
    {
        const long now = 1_000_000;
        var events = new SilentEvents();
        var engine = new TrunkEngine(TrunkRole.Gateway, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), events);
        EngineLane leaving = engine.AddLane(1, LaneRole.Normal, now);
        engine.Open(new FlowTarget(IPAddress.Loopback, 80), FlowClass.Default, now).ShouldNotBeNull();
        engine.Fill(leaving, new byte[64 * 1024], now);
        leaving.Sent.Count.ShouldBeGreaterThan(0);
        EngineLane other = engine.AddLane(2, LaneRole.Normal, now);
        engine.Retire(leaving, now);
        engine.Fill(leaving, new byte[64 * 1024], now);
        events.LanesWithWork.Clear();

        byte[] ack = new byte[TrunkFrame.HeaderBytes + TrunkFrame.AckEntryBytes];
        new TrunkFrame(TrunkFrameType.Ack, 0, TrunkFrame.AckEntryBytes, 0, 0).Write(ack);
        BinaryPrimitives.WriteUInt32BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes), leaving.Id);
        BinaryPrimitives.WriteInt64BigEndian(ack.AsSpan(TrunkFrame.HeaderBytes + 4), leaving.SentCount);
        engine.Received(other, ack, now + 1000);

        TrunkEngine.IsDrained(leaving).ShouldBeTrue();
        events.LanesWithWork.ShouldContain(leaving);
    }
}
