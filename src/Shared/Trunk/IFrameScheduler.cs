namespace Aggregator.Trunk;

/// <summary>Decides what a lane takes. Pure: everything it knows is in the arguments, so that it can be tried on thousands of links in a test.</summary>
internal interface IFrameScheduler
{
    /// <summary>
    /// How many of the waiting bytes quicker lanes will have delivered by the time the lane <paramref name="self"/> delivers something taken now:
    /// these it leaves to them. 0 for the quickest.
    /// </summary>
    double BytesAhead(ReadOnlySpan<LaneView> lanes, int self);

    /// <summary>How far behind the quickest lane's a place can be, as time of the whole trunk.</summary>
    double MaxAheadUs(double totalRateBytesPerSecond);

    /// <summary>How much must wait for the slowest lane to find its place in it.</summary>
    double BacklogBytes(ReadOnlySpan<LaneView> lanes);

    /// <summary>How much may wait unsent in the kernel of a lane.</summary>
    long FeedLimitBytes(double rateBytesPerSecond, in LaneReading reading);

    /// <summary>Payload of a frame.</summary>
    int FrameBytes(double rateBytesPerSecond);
}

/// <param name="RateBytesPerSecond">What the lane delivers.</param>
/// <param name="ArrivalUs">How long until something that it takes now is there.</param>
/// <param name="Takes">Whether it takes part at all.</param>
internal readonly record struct LaneView(double RateBytesPerSecond, double ArrivalUs, bool Takes);
