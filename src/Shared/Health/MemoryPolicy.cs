namespace Aggregator.Health;

internal enum MemoryState
{
    Ample,

    /// <summary>Buffers are kept smaller, so that the kernel need not reclaim or swap.</summary>
    Short,

    /// <summary>New flows are refused: a refusal costs a user one page, the kernel's killer costs all of them everything.</summary>
    Critical,
}

/// <param name="Share">Of the buffers that a daemon would have with ample memory: 1 down to <see cref="MemoryPolicy.LeastShare"/>.</param>
internal readonly record struct MemoryDecision(MemoryState State, double Share);

/// <summary>
/// From what is available to what may be taken. Down at once, up slowly: who gives memory back because it is short must not take it
/// again in the next second. Pure but for its own last decision; for one caller at a time.
/// </summary>
internal sealed class MemoryPolicy
{
    /// <summary>Enough for every line's bytes to go on moving in small pieces.</summary>
    internal const double LeastShare = 1.0 / 16;

    /// <summary>Parts of the memory below which it is short, and critical.</summary>
    private const double ShortPart = 0.15, CriticalPart = 0.06;

    /// <summary>
    /// The same in bytes, at least and at most: a burst of handshakes was seen to take 18 MB a second, what is under way when the mark is noticed
    /// another 6 MB, and the collection that gives memory back needs some first; with half of these marks 5 MB were left, and once the daemon was gone afterwards. On large hosts
    /// a part would be gigabytes.
    /// </summary>
    private const long LeastShort = 48L << 20, MostShort = 256L << 20, LeastCritical = 32L << 20, MostCritical = 64L << 20;

    /// <summary>Left again only when this much more than the mark is available.</summary>
    private const double Leave = 1.25;

    /// <summary>Percent of ten seconds in which programs waited for memory: the kernel reclaims all the time.</summary>
    private const double HighPressure = 20;

    /// <summary>In good order for so long before the share doubles.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(5);

    private TimeSpan _calm;

    internal MemoryDecision Last { get; private set; } = new(MemoryState.Ample, 1);

    /// <param name="elapsed">Since the last call.</param>
    internal MemoryDecision Next(MemoryFigures memory, double? pressureSomeAvg10, TimeSpan elapsed)
    {
        var state = State(memory, pressureSomeAvg10);
        double share = Last.Share;
        if (state == MemoryState.Ample)
        {
            _calm += elapsed;
            if (_calm >= Calm)
            {
                share = Math.Min(1, share * 2);
                _calm = TimeSpan.Zero;
            }
        }
        else
        {
            _calm = TimeSpan.Zero;
            share = state == MemoryState.Critical ? LeastShare : Math.Max(LeastShare, share / 2);
        }

        return Last = new MemoryDecision(state, share);
    }

    private MemoryState State(MemoryFigures memory, double? pressure)
    {
        // What is not known is no reason to refuse anybody.
        if (memory is not { TotalBytes: { } total, AvailableBytes: { } available })
        {
            return MemoryState.Ample;
        }

        double shortAt = Math.Clamp(total * ShortPart, LeastShort, MostShort) * (Last.State >= MemoryState.Short ? Leave : 1);
        double criticalAt = Math.Clamp(total * CriticalPart, LeastCritical, MostCritical) * (Last.State == MemoryState.Critical ? Leave : 1);
        return available < criticalAt ? MemoryState.Critical
            : available < shortAt || pressure >= HighPressure ? MemoryState.Short
            : MemoryState.Ample;
    }
}
