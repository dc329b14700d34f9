namespace Aggregator.Gateway.Speed;

/// <summary>The senders' time so far, reading after reading, on one steady clock.</summary>
internal sealed class SenderSeries
{
    private readonly List<Reading> _readings = [];

    /// <summary>Sums over connections, in microseconds, and the mean over those that are open, in milliseconds.</summary>
    /// <param name="LeastMs">The least round trip seen; null: not known.</param>
    /// <param name="QueueMs">What the present one has on top.</param>
    internal readonly record struct Reading(double TimeS, double BusyUs, double ReceiverUs, double BufferUs, double? LeastMs = null, double? QueueMs = null)
    {
        /// <summary>Sums over the open connections: in the kernel and not sent yet. Null: not known.</summary>
        internal double? UnsentBytes { get; init; }

        /// <summary>Likewise: sent and not acknowledged.</summary>
        internal double? InFlightBytes { get; init; }
    }

    internal void Add(Reading reading)
    {
        if (_readings.Count == 0 || reading.TimeS > _readings[^1].TimeS)
        {
            _readings.Add(reading);
        }
    }

    /// <summary>Of the later half, in which the number of connections does not change any more as a rule; null: too little was read.</summary>
    /// <param name="streams">Connections that were there to the end.</param>
    internal SenderTimes? Of(int streams)
    {
        if (_readings.Count < 3 || streams < 1)
        {
            return null;
        }

        Reading last = _readings[^1];
        double middle = (_readings[0].TimeS + last.TimeS) / 2;
        Reading first = _readings.Last(r => r.TimeS <= middle);
        double busy = last.BusyUs - first.BusyUs;
        double all = (last.TimeS - first.TimeS) * 1e6 * streams;
        Reading[] later = [.. _readings.Where(r => r.TimeS >= first.TimeS && r.QueueMs is not null)];
        if (busy <= 0 || all <= 0)
        {
            return null;
        }

        Reading[] told = [.. _readings.Where(r => r.TimeS >= first.TimeS && r is { UnsentBytes: not null, InFlightBytes: > 0 })];
        return new SenderTimes(
            Math.Clamp((last.ReceiverUs - first.ReceiverUs) / busy, 0, 1),
            Math.Clamp((last.BufferUs - first.BufferUs) / busy, 0, 1),
            Math.Clamp(1 - (busy / all), 0, 1),
            later.Length == 0 ? null : (later.Average(r => r.LeastMs), later.Average(r => r.QueueMs)) is ({ } least, { } queue) ? new LineQueue(least, queue) : null)
        {
            UnsentPart = told.Length == 0 ? null : told.Sum(r => r.UnsentBytes) / told.Sum(r => r.InFlightBytes),
        };
    }
}
