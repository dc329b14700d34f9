using System.Net;
using Aggregator.Flows;
using Aggregator.Trunk;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>
/// A flow of the redundant class over two lanes one of which swallows everything. The clock stands still: nothing has stalled for anybody,
/// nothing is overdue, so whatever arrives does so because it went twice.
/// </summary>
public sealed class RedundantClassTests
{
    private const long Now = 1_000_000;
    private const int Bytes = 1000;

    private readonly SilentEvents _atVps = new();
    private readonly TrunkEngine _gateway = Engine(TrunkRole.Gateway, new SilentEvents());
    private readonly TrunkEngine _vps;
    private readonly EngineLane[] _up;
    private readonly EngineLane[] _down;
    private int? _blackHole;

    public RedundantClassTests()
    {
        _vps = Engine(TrunkRole.Vps, _atVps);
        _up = [_gateway.AddLane(1, LaneRole.Normal, Now), _gateway.AddLane(2, LaneRole.Normal, Now)];
        _down = [_vps.AddLane(1, LaneRole.Normal, Now), _vps.AddLane(2, LaneRole.Normal, Now)];
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Request_and_answer_arrive_with_a_lane_in_a_black_hole_and_no_time_lost(int blackHole)
    {
        Ask(FlowClass.Redundant, blackHole).ShouldBe((Bytes, Bytes));
        _gateway.RedundantBytes.ShouldBe(Bytes);
        _vps.RedundantBytes.ShouldBe(Bytes);
        _gateway.ResentBytes.ShouldBe(0, "copies are not counted as repairs");
    }

    [Fact]
    public void Without_the_class_one_of_the_two_black_holes_would_stop_it()
    {
        (Ask(FlowClass.Default, 0) == (Bytes, Bytes) && new RedundantClassTests().Ask(FlowClass.Default, 1) == (Bytes, Bytes)).ShouldBeFalse();
        _gateway.RedundantBytes.ShouldBe(0);
    }

    [Fact]
    public void With_both_lanes_well_every_byte_comes_twice_and_is_read_once()
    {
        Ask(FlowClass.Redundant, null).ShouldBe((Bytes, Bytes));
        _gateway.RedundantBytes.ShouldBe(Bytes);
        _vps.DuplicateBytes.ShouldBe(Bytes);
        _gateway.DuplicateBytes.ShouldBe(Bytes);
    }

    /// <summary>Bulk has filled the quickest lane up to its limit when it falls silent: the other one takes what is redundant at once.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_lane_that_is_full_and_silent_holds_nothing_up(int blackHole)
    {
        // The scheduler would rather wait for the quick lane than use the slow one.
        Read(_gateway, _up[0], 40, 20_000_000, 0);
        Read(_gateway, _up[1], 45, 5_000_000, 0);
        var stream = Open(FlowClass.Redundant);
        _blackHole = blackHole;
        Read(_gateway, _up[blackHole], 40 + (5 * blackHole), blackHole == 0 ? 20_000_000 : 5_000_000, 3_000_000);
        _gateway.Write(stream, new byte[Bytes], Now).ShouldBe(Bytes);
        Pump();
        _atVps.OpenedStreams[0].UnreadBytes.ShouldBe(Bytes);
    }

    private (long Request, long Answer) Ask(FlowClass flowClass, int? blackHole)
    {
        var stream = Open(flowClass);
        _blackHole = blackHole;
        var far = _atVps.OpenedStreams.ShouldHaveSingleItem();
        far.FlowClass.ShouldBe(flowClass);
        _gateway.Write(stream, new byte[Bytes], Now).ShouldBe(Bytes);
        Pump();
        long request = far.UnreadBytes;
        _vps.Read(far, new byte[2 * Bytes], Now);
        _vps.Write(far, new byte[Bytes], Now).ShouldBe(Bytes);
        Pump();
        return (request, stream.UnreadBytes);
    }

    private EngineStream Open(FlowClass flowClass)
    {
        var stream = _gateway.Open(new FlowTarget(IPAddress.Loopback, 80), flowClass, Now)!;
        Pump();
        _vps.Reply(_atVps.OpenedStreams[0], new FlowReply(OpenResult.Opened, null), Now);
        Pump();
        return stream;
    }

    private static void Read(TrunkEngine engine, EngineLane lane, int rttMs, long rate, long unsent) => engine.Read(
        lane,
        new LaneReading
        {
            Rtt = TimeSpan.FromMilliseconds(rttMs),
            MinRtt = TimeSpan.FromMilliseconds(rttMs),
            DeliveryRateBytesPerSecond = rate,
            PacingRateBytesPerSecond = rate,
            CongestionWindowBytes = rate / 10,
            InFlightBytes = unsent > 0 ? rate / 10 : 0,
            UnsentBytes = unsent,
        },
        Now);

    /// <summary>Until nothing moves.</summary>
    private void Pump()
    {
        byte[] buffer = new byte[64 * 1024];
        for (bool moved = true; moved;)
        {
            moved = false;
            for (int i = 0; i < _up.Length; i++)
            {
                moved |= Move(_gateway, _up[i], _vps, _down[i], _blackHole == i, buffer) | Move(_vps, _down[i], _gateway, _up[i], _blackHole == i, buffer);
            }
        }
    }

    private static bool Move(TrunkEngine from, EngineLane lane, TrunkEngine to, EngineLane far, bool swallow, byte[] buffer)
    {
        int count = from.Fill(lane, buffer, Now);
        if (count > 0 && !swallow)
        {
            to.Received(far, buffer.AsSpan(0, count), Now);
        }

        return count > 0;
    }

    private static TrunkEngine Engine(TrunkRole role, ITrunkEvents events) =>
        new(role, new EarliestCompletionScheduler(), new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(), events);
}
