namespace Aggregator.Gateway.Speed;

/// <summary>What was asked for.</summary>
/// <param name="Links">Names or interfaces; empty: all that are not off.</param>
/// <param name="Duration">The longest time of one measurement.</param>
internal sealed record SpeedOptions(IReadOnlyList<string> Links, bool Down, bool Up, TimeSpan Duration, bool Bonded)
{
    /// <summary>Whether the result goes into the history; a hasty look would spoil it.</summary>
    internal bool Keep { get; init; } = true;

    internal static readonly TimeSpan DefaultDuration = TimeSpan.FromSeconds(5);

    internal static readonly TimeSpan ShortestDuration = TimeSpan.FromSeconds(1);

    /// <summary>Beyond this nothing is learnt, and a metered line's allowance is gone.</summary>
    internal static readonly TimeSpan LongestDuration = TimeSpan.FromSeconds(60);
}

/// <summary>
/// Shares the time of a test among its measurements. Each ends when its rate is steady, at the earliest after two fifths of the duration and at the latest
/// after all of it; and the whole of up to three links with the default duration in less than 45 s (far ones take 12 s more), so what is left bounds what follows.
/// </summary>
internal static class SpeedPlan
{
    /// <summary>45 s less the start of the command, the checks and the connections.</summary>
    private const double WholeS = 40;

    /// <summary>The links for which that is: more take longer.</summary>
    private const int Links = 3;

    /// <summary>What belongs to one measurement and is not load: connections, and filling the queue.</summary>
    internal const double AroundS = 1.0;

    private const double LeastLoadS = 1.2;

    /// <summary>When the loads shall be over, in seconds from the beginning.</summary>
    internal static double EndS(int links, TimeSpan duration) =>
        WholeS * Math.Max(1, (double)links / Links) * Math.Max(1, duration / SpeedOptions.DefaultDuration);

    /// <summary>The time of the next measurement.</summary>
    /// <param name="leftS">Until <see cref="EndS"/>.</param>
    /// <param name="measurements">This one and those that follow.</param>
    /// <param name="whole">It takes all the time that it may: the rate of many ways at once never looks steady.</param>
    /// <param name="far">This one's link <see cref="IsFar"/>.</param>
    /// <param name="farToCome">How many of the measurements are of such links.</param>
    internal static LoadTime Next(double leftS, int measurements, TimeSpan duration, bool whole = false, bool far = false, int farToCome = 0)
    {
        double shared = leftS - (farToCome * FarS);
        double share = Math.Max(LeastLoadS, (shared / Math.Max(1, measurements)) - AroundS) + (far ? FarS - FarAroundS : 0);
        double most = Math.Min(duration.TotalSeconds, share);
        return new LoadTime(whole ? most : Math.Min(duration.TotalSeconds / LeastPart, most), most);
    }

    /// <summary>What is found in round trips takes longer on it: it has time of its own, on top of the shared one.</summary>
    internal static bool IsFar(double rttS) => rttS > LoadPhase.LongWayS;

    /// <summary>On top, for each of a far link's measurements.</summary>
    internal const double FarS = 6;

    /// <summary>Of that, for connections (three round trips and more), filling the queue, and what is under way at the end.</summary>
    private const double FarAroundS = 3;

    /// <summary>A steady line shows it in two of five seconds, and a burst of a second before it; what it does not take is left for all lines together.</summary>
    private const double LeastPart = 2.5;
}
