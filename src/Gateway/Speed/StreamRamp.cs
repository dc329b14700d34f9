using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// As many streams as it takes: one or two until their rate does not grow any more, then twice as many, and again as long as that brought more. Those that
/// brought nothing are ended: they would only make a queue, and losses where it is short.
/// </summary>
internal sealed class StreamRamp
{
    /// <summary>From one step to the next: less is no growth.</summary>
    private const double Growth = 1.05;

    /// <summary>A stream needs some round trips to show what it brings.</summary>
    private const double LeastStepS = 0.3;

    private const double StepRoundTrips = 3;

    /// <summary>Where so much is lost already, more senders lose more: the line is full.</summary>
    private const double LossOfFullLine = 0.02;

    private readonly IReadOnlyList<SpeedStream> _streams;
    private readonly Action<SpeedStream> _start;
    private readonly double _step;
    private double _stepBegan;
    private double _rate;
    private int _before;

    internal StreamRamp(IReadOnlyList<SpeedStream> streams, int first, Action<SpeedStream> start, double rttS, double nowS)
    {
        (_streams, _start) = (streams, start);
        _step = Math.Max(LeastStepS, StepRoundTrips * rttS);
        _stepBegan = nowS;
        Activate(first);
    }

    internal int Streams { get; private set; }

    /// <summary>The number of streams does not change any more, since then.</summary>
    internal double SettledS { get; private set; } = double.PositiveInfinity;

    internal bool Settled => double.IsFinite(SettledS);

    internal bool AnyRunning => _streams.Take(Streams).Any(s => s.Running);

    internal async ValueTask StepAsync(double nowS, RateSeries series, CountSeries counts)
    {
        if (Settled || nowS - _stepBegan < _step || series.LatestMbps(_step / 2) is not { } rate)
        {
            return;
        }

        bool grows = rate >= _rate * Growth;
        double from = _stepBegan;
        (_stepBegan, _rate) = (nowS, Math.Max(rate, _rate));
        if (_before > 0 && !grows)
        {
            // The last addition brought nothing.
            while (Streams > _before)
            {
                await _streams[--Streams].DisposeAsync();
            }

            SettledS = nowS;
        }
        else if (!grows)
        {
            if (Streams == _streams.Count || counts.RatioBetween(from, nowS) > LossOfFullLine)
            {
                SettledS = nowS;
                return;
            }

            _before = Streams;
            Activate(Streams * 2);
        }
        else
        {
            // It grows still, by itself or by what was added.
            _before = 0;
        }
    }

    private void Activate(int count)
    {
        for (; Streams < Math.Min(count, _streams.Count); Streams++)
        {
            _start(_streams[Streams]);
        }
    }
}
