namespace Aggregator.Trunk;

/// <summary>
/// A lane takes the frame whose turn comes when this lane can have it there, and leaves all before it to quicker lanes. So everything arrives
/// nearly in order, and a lane that could only finish last takes nothing of what is nearly done.
/// </summary>
internal sealed class EarliestCompletionScheduler : IFrameScheduler
{
    /// <summary>
    /// Unsent bytes in the kernel, as time: below 4 ms a lane ran dry between two looks at it (they are 1 ms apart, more on a busy machine);
    /// 8 ms brought no more rate, and a small request, which waits behind it in both directions, was 6 ms slower at the 95th percentile.
    /// </summary>
    private const double FeedSeconds = 0.005;

    /// <summary>The same for lanes of gigabits: what one write holds, twice.</summary>
    private const long MinFeedBytes = 6 * 1024;

    private const long MaxRoomBytes = 64 * 1024;

    /// <summary>A frame's time on a slow lane: long enough that headers cost under 1 % even at 5 Mbit/s.</summary>
    private const double FrameSeconds = 0.002;

    /// <summary>One full segment after all headers.</summary>
    private const int MinFrameBytes = 1360;

    /// <summary>Waiting bytes over what the lanes' differences ask for, as time of the whole trunk: for what writers and ticks take to refill.</summary>
    private const double SpareSeconds = 0.02;

    private const double MinBacklogBytes = 512 * 1024;

    /// <summary>
    /// What a lane leaves to quicker ones is at most so much, in time of the whole trunk and in bytes: all that waits is in the sender's memory and
    /// delays what its flow says next. A lane that would need more takes the last place, and what it does not have there in time goes again.
    /// </summary>
    private const double MaxAheadSeconds = 1.0;
    private const double MaxAheadBytes = 40 << 20;

    public double BytesAhead(ReadOnlySpan<LaneView> lanes, int self)
    {
        double arrival = lanes[self].ArrivalUs;
        double ahead = 0;
        double rate = 0;
        for (int i = 0; i < lanes.Length; i++)
        {
            rate += lanes[i].Takes ? lanes[i].RateBytesPerSecond : 0;
            if (i != self && lanes[i].Takes && lanes[i].ArrivalUs < arrival)
            {
                ahead += lanes[i].RateBytesPerSecond * (arrival - lanes[i].ArrivalUs) / 1e6;
            }
        }

        return Math.Min(ahead, rate * MaxAheadUs(rate) / 1e6);
    }

    public double MaxAheadUs(double totalRateBytesPerSecond) => 1e6 * Math.Min(MaxAheadSeconds, MaxAheadBytes / totalRateBytesPerSecond);

    public double BacklogBytes(ReadOnlySpan<LaneView> lanes)
    {
        double most = 0;
        double rate = 0;
        for (int i = 0; i < lanes.Length; i++)
        {
            if (lanes[i].Takes)
            {
                rate += lanes[i].RateBytesPerSecond;
                most = Math.Max(most, BytesAhead(lanes, i));
            }
        }

        return Math.Max(MinBacklogBytes, (most * 1.25) + (rate * SpareSeconds));
    }

    public long FeedLimitBytes(double rateBytesPerSecond, in LaneReading reading)
    {
        // Where the kernel paces (BBR), it takes from the queue at that pace, also in the start when nothing was delivered yet; where it does
        // not, it takes at once what its window leaves room for.
        double rate = Math.Max(rateBytesPerSecond, reading.PacingRateBytesPerSecond);

        // And always what its window has room for, up to a bound: a lane that is to show what it can must not run dry while it does. BBR over MPTCP
        // is not told that it was short of bytes, takes what it got for the path's rate, and stays there for seconds (5 of 47 Mbit/s were seen).
        long room = Math.Min(MaxRoomBytes, reading.CongestionWindowBytes - reading.InFlightBytes);
        return Math.Max(Math.Max(MinFeedBytes, room), (long)(rate * FeedSeconds));
    }

    public int FrameBytes(double rateBytesPerSecond) =>
        (int)Math.Clamp(rateBytesPerSecond * FrameSeconds, MinFrameBytes, TrunkFrame.MaxDataBytes);
}
