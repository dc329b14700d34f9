using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>How long a measurement may take, and how little.</summary>
internal readonly record struct LoadTime(double LeastS, double MostS);

/// <param name="Rate">The steady part; null: too little came.</param>
/// <param name="Series">All of it, on the receiver's clock.</param>
/// <param name="Streams">That it took.</param>
/// <param name="RetransmitRatio">Segments sent again of those sent, in the steady part; null: not known.</param>
internal sealed record LoadResult(SteadyRate? Rate, RateSeries Series, int Streams, double? RetransmitRatio);

/// <summary>Where a phase has its figures from. Each may say null: not known yet, or not at all.</summary>
/// <param name="Received">What has arrived so far, and when, on the receiver's clock.</param>
/// <param name="Sent">Segments sent and sent again so far, and when, on ours.</param>
internal sealed record LoadFigures(Func<(double TimeS, double Bytes)?> Received, Func<(double TimeS, double Segments, double Retransmits)?> Sent);

/// <summary>
/// Loads a way in one direction with as many streams as it takes and watches what arrives, until the rate is steady or the time is over.
/// </summary>
internal sealed class LoadPhase(SpeedClock clock)
{
    internal static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    /// <summary>A line that lets nothing through for so long is dead: TCP tries again several times within it.</summary>
    private const double SilenceS = 2.5;

    /// <param name="streams">Connected; they are started as they are needed.</param>
    /// <param name="start">Starts one of them.</param>
    /// <param name="rttS">Of the idle way, roughly.</param>
    /// <exception cref="IOException">Nothing came (any more).</exception>
    internal async Task<LoadResult> RunAsync(
        IReadOnlyList<SpeedStream> streams, Action<SpeedStream> start, LoadFigures figures, double rttS, LoadTime length,
        Action<double?> progress, CancellationToken cancellationToken)
    {
        var series = new RateSeries();
        var counts = new CountSeries();
        double began = clock.NowS;
        double toOurs = double.PositiveInfinity;
        double grewAt = began;
        var ramp = new StreamRamp(streams, start, rttS, began);
        using var timer = new PeriodicTimer(Tick, clock.Time);
        while (true)
        {
            await timer.WaitForNextTickAsync(cancellationToken);
            double now = clock.NowS;
            double before = series.Points.Count == 0 ? 0 : series.Points[^1].Bytes;
            if (figures.Received() is var (timeS, bytes))
            {
                series.Add(timeS, bytes);
                toOurs = Math.Min(toOurs, now - timeS);
                grewAt = bytes > before ? now : grewAt;
            }

            if (figures.Sent() is var (sentS, segments, retransmits))
            {
                counts.Add(sentS, segments, retransmits);
            }

            if (now - grewAt > SilenceS || !ramp.AnyRunning)
            {
                throw new IOException(before > 0 ? $"nothing came through any more after {grewAt - began:0.0} s" : "nothing comes through");
            }

            progress(series.LatestMbps(0.2));
            await ramp.StepAsync(now, series, counts);
            if (now - began >= length.MostS || (now - began >= length.LeastS && ramp.Settled && SteadyState.Of(series, ramp.SettledS - toOurs) is { IsSteady: true }))
            {
                SteadyRate? rate = (ramp.Settled ? SteadyState.Of(series, ramp.SettledS - toOurs) : null) ?? SteadyState.Of(series);
                return new LoadResult(
                    rate, series, ramp.Streams, rate is { } steady ? counts.RatioBetween(steady.FromS + toOurs, steady.ToS + toOurs) : null);
            }
        }
    }
}
