using System.Collections.Immutable;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Links;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Roles;

/// <summary>
/// Counts what links with a quota move, from the kernel's counters, and says which are at their end. Looks the more often the nearer the end is.
/// Called from one loop; what it publishes is read from any thread.
/// </summary>
internal sealed class QuotaMeter
{
    /// <summary>What a crash may lose is nothing but when a period began: the kernel's counters go on.</summary>
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMinutes(1);

    private readonly string _state;
    private readonly string _host;
    private readonly EventLog _events;
    private readonly TimeProvider _time;
    private readonly Func<string, InterfaceCounters?> _counters;
    private readonly ILogger _logger;
    private readonly Dictionary<string, Look> _looks = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private UsageMemory _memory;
    private long _saved;
    private volatile ImmutableDictionary<string, QuotaReading> _current = ImmutableDictionary<string, QuotaReading>.Empty;

    /// <param name="host">See <see cref="Usage.Host"/>.</param>
    internal QuotaMeter(string stateDirectory, string host, Func<string, InterfaceCounters?> counters, EventLog events, TimeProvider time, ILogger logger)
    {
        _state = stateDirectory;
        _host = host;
        _counters = counters;
        _events = events;
        _time = time;
        _logger = logger;
        _memory = UsageMemory.Load(stateDirectory, out string? problem);
        if (problem is not null)
        {
            logger.MemoryUnreadable(problem);
        }
    }

    /// <summary>By link name; links without a quota are not here.</summary>
    internal ImmutableDictionary<string, QuotaReading> Current => _current;

    /// <summary>Looks at all; how long until the next look.</summary>
    internal TimeSpan LookAll(ImmutableArray<Link> links, ImmutableDictionary<string, LinkLimits> limits)
    {
        lock (_lock)
        {
            var next = QuotaGauge.Longest;
            bool begun = false;
            var readings = ImmutableDictionary.CreateBuilder<string, QuotaReading>(StringComparer.Ordinal);
            foreach (var link in links)
            {
                if (limits.GetValueOrDefault(link.Name)?.Quota is not { } quota)
                {
                    _looks.Remove(link.Name);
                    continue;
                }

                var (reading, pause, isNew) = LookAt(link, quota);
                readings[link.Name] = reading;
                begun |= isNew;
                next = pause < next ? pause : next;
            }

            _current = readings.ToImmutable();
            if (begun || _time.GetElapsedTime(_saved) >= SaveEvery)
            {
                Save();
            }

            return next;
        }
    }

    /// <summary>The provider's own count, in place of ours.</summary>
    internal void SetUsed(string link, Quota quota, long bytes)
    {
        lock (_lock)
        {
            if (_memory.Links.TryGetValue(link, out var usage))
            {
                ulong all = (ulong)bytes;
                var set = quota.Count == QuotaCount.Up ? usage with { DownBytes = 0, UpBytes = all } : usage with { DownBytes = all, UpBytes = 0 };
                _memory = _memory with { Links = _memory.Links.SetItem(link, set) };
                _looks.Remove(link);
                Save();
            }
        }
    }

    /// <summary>On disk, as far as it goes.</summary>
    internal void Save()
    {
        lock (_lock)
        {
            _saved = _time.GetTimestamp();
            if (_memory.Links.IsEmpty)
            {
                return;
            }

            try
            {
                _memory.Save(_state);
            }
            catch (StateException e)
            {
                _logger.MemoryNotWritten(e.Message);
            }
        }
    }

    private (QuotaReading Reading, TimeSpan Pause, bool Begun) LookAt(Link link, Quota quota)
    {
        var today = DateOnly.FromDateTime(_time.GetLocalNow().DateTime);
        var since = QuotaPeriods.Since(quota, today);
        var until = QuotaPeriods.Until(quota, since);
        long now = _time.GetTimestamp();
        var counters = link.Present ? _counters(link.Interface) : null;
        bool known = _memory.Links.TryGetValue(link.Name, out var usage);
        bool rolled = known && usage!.Since != since;
        if (counters is { } moved)
        {
            usage = known ? usage!.Add(moved, link.Index, _host) : Usage.Begin(since, moved, link.Index, _host);
        }

        if (usage is null)
        {
            // Not there yet, and never was.
            return (new QuotaReading(quota, 0, since, until, false), QuotaGauge.Longest, false);
        }

        usage = usage.Roll(since);
        _memory = _memory with { Links = _memory.Links.SetItem(link.Name, usage) };
        long used = QuotaGauge.Used(quota, usage);
        var look = _looks.GetValueOrDefault(link.Name) ?? new Look(now, used, 0, QuotaGauge.Mark(quota, used), false, since);
        double elapsed = _time.GetElapsedTime(look.At, now).TotalSeconds;
        // Over some looks: a rate from 10 ms is a burst's.
        double rate = elapsed <= 0 ? look.BytesPerSecond : (look.BytesPerSecond + Math.Max(0, used - look.Used) / elapsed) / 2;
        // Once out it stays out for the period, even where the margin was too careful.
        bool exceeded = QuotaGauge.IsExceeded(quota, used, rate, link.RttMs) || (look.Exceeded && look.Since == since && used >= quota.LimitBytes - QuotaGauge.Margin(quota, double.MaxValue, null));
        int mark = QuotaGauge.Mark(quota, used);
        Tell(link, quota, look with { Mark = rolled ? 0 : look.Mark }, used, until, mark, exceeded, rolled);
        _looks[link.Name] = new Look(now, used, rate, mark, exceeded, since);
        return (new QuotaReading(quota, used, since, until, exceeded), exceeded ? QuotaGauge.Longest : QuotaGauge.NextLook(quota, used, rate), !known || rolled || exceeded != look.Exceeded);
    }

    private void Tell(Link link, Quota quota, Look before, long used, DateOnly until, int mark, bool exceeded, bool rolled)
    {
        if (rolled)
        {
            _events.Add(EventAction.QuotaBegun, link.Name, link.Interface, QuotaGauge.Text(quota, used, until));
        }

        if (exceeded && !before.Exceeded)
        {
            _events.Add(EventAction.QuotaExceeded, link.Name, link.Interface, $"{QuotaGauge.Text(quota, used, until)}; {quota.Then.ToString().ToLowerInvariant()} until then");
        }
        else if (mark > before.Mark && !exceeded)
        {
            _events.Add(EventAction.QuotaWarning, link.Name, link.Interface, QuotaGauge.Text(quota, used, until));
        }
    }

    /// <param name="Mark">The last warning's.</param>
    private sealed record Look(long At, long Used, double BytesPerSecond, int Mark, bool Exceeded, DateOnly Since);
}

/// <summary>A link's quota at one moment.</summary>
internal sealed record QuotaReading(Quota Quota, long UsedBytes, DateOnly Since, DateOnly Until, bool Exceeded);
