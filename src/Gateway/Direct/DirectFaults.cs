using System.Collections.Immutable;

namespace Aggregator.Gateway.Direct;

/// <summary>
/// Remembers WANs over which connections were not answered while others were: such a WAN is left out for a while, since no probe may be there
/// to tell (nobody but the VPS is asked unless configured). Thread-safe.
/// </summary>
internal sealed class DirectFaults(TimeProvider time)
{
    /// <summary>One may be a dead server's other address.</summary>
    private const int FaultsToDistrust = 2;

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Fault> _faults = new(StringComparer.Ordinal);

    /// <summary>A connection was answered over <paramref name="link"/>, or was not; it had begun with <paramref name="first"/>.</summary>
    internal void Note(string link, bool answered, string first)
    {
        if (!answered)
        {
            // Nobody answered anywhere: the target is gone, and says nothing of the WANs.
            return;
        }

        lock (_lock)
        {
            _faults.Remove(link);
            if (link != first)
            {
                var had = _faults.GetValueOrDefault(first) ?? new Fault(0, 0, TimeSpan.Zero);
                if (time.GetElapsedTime(had.Since) < had.Pause)
                {
                    // Ten that were under way together are one fault, or a page's connections would leave the WAN out for the longest time.
                    return;
                }

                int count = had.Count + 1;
                var pause = count < FaultsToDistrust ? TimeSpan.Zero
                    : had.Pause == TimeSpan.Zero ? FirstPause
                    : had.Pause * 2 < LongestPause ? had.Pause * 2 : LongestPause;
                _faults[first] = new Fault(count, time.GetTimestamp(), pause);
            }
        }
    }

    /// <summary>Those that are not left out at present; all, where none would be left.</summary>
    internal ImmutableArray<DirectWay> Trusted(ImmutableArray<DirectWay> ways)
    {
        lock (_lock)
        {
            if (_faults.Count == 0)
            {
                return ways;
            }

            ImmutableArray<DirectWay> trusted = [.. ways.Where(w => !_faults.TryGetValue(w.Link, out var f) || time.GetElapsedTime(f.Since) >= f.Pause)];
            return trusted.IsEmpty ? ways : trusted;
        }
    }

    private sealed record Fault(int Count, long Since, TimeSpan Pause);
}
