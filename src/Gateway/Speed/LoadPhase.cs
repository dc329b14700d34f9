using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>How long a measurement may take, and how little.</summary>
internal readonly record struct LoadTime(double LeastS, double MostS);

/// <param name="Rate">The steady part; null: too little came.</param>
/// <param name="Series">All of it, on the receiver's clock.</param>
/// <param name="Delivered">What selective acknowledgements say of the same time, on our clock; empty where nobody says so.</param>
/// <param name="Streams">That it took.</param>
/// <param name="RetransmitRatio">Segments sent again of those sent, in the steady part; null: not known.</param>
internal sealed record LoadResult(SteadyRate? Rate, RateSeries Series, RateSeries Delivered, int Streams, double? RetransmitRatio);

/// <summary>Where a phase has its figures from. Each may say null: not known yet, or not at all.</summary>
/// <param name="Received">What has arrived so far, and when, on the receiver's clock.</param>
/// <param name="Sent">What the senders' kernels say, where the connections are plain TCP.</param>
/// <param name="Least">
/// Of many ways at once: the smaller rate of the two counts, over all of the time behind the ramp. What comes in order waits for the slowest way and then
/// jumps, so it never looks steady; and what was sent may have been sent twice.
/// </param>
/// <param name="FirstStreams">With how many it begins. Of two on one line, one at a time is held back by a loss of its own.</param>
internal sealed record LoadFigures(Func<(double TimeS, double Bytes)?> Received, Func<SentSoFar?> Sent, bool Least = false, int FirstStreams = 2);

/// <summary>Sums over the senders' connections.</summary>
/// <param name="TimeS">On our clock.</param>
/// <param name="DeliveredBytes">See <see cref="Mptcp.TcpInfo.BytesDelivered"/>.</param>
internal readonly record struct SentSoFar(double TimeS, double Segments, double Retransmits, double DeliveredBytes);

/// <summary>
/// Loads a way in one direction with as many streams as it takes and watches what arrives, until the rate is steady or the time is over.
/// </summary>
internal sealed class LoadPhase(SpeedClock clock)
{
    internal static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    /// <summary>A line that lets nothing through for so long is dead: TCP tries again several times within it.</summary>
    private const double SilenceS = 2.5;

    /// <summary>What is not in order yet is a round trip's worth with its queue, of a measurement of some.</summary>
    private const double MostDisagreement = 0.3;

    private const double RampPart = 0.3;

    /// <summary>Above it (in seconds) a measurement is a few round trips only, and all streams begin at once: one that doubles needs seconds from ten segments to some Mbit/s.</summary>
    internal const double LongWayS = 0.2;

    /// <summary>In which a line that was full at all was full throughout; of a long way's time.</summary>
    private const double FullRoundTrips = 1.5;

    private const double LeastFullS = 1;

    /// <summary>What somebody on the way acknowledges in the receiver's name is more than that beyond what the receiver has in order.</summary>
    private const double LeastOfDelivered = 0.5;

    /// <summary>Streams that were added late: what is left must be long enough to be a mean.</summary>
    private const double MostRampPart = 0.5;

    /// <param name="streams">Connected; they are started as they are needed.</param>
    /// <param name="start">Starts one of them.</param>
    /// <param name="rttS">Of the idle way, roughly.</param>
    /// <exception cref="IOException">Nothing came (any more).</exception>
    internal async Task<LoadResult> RunAsync(
        IReadOnlyList<SpeedStream> streams, Action<SpeedStream> start, LoadFigures figures, double rttS, LoadTime length,
        Action<double?> progress, CancellationToken cancellationToken)
    {
        var series = new RateSeries();
        var delivered = new RateSeries();
        var counts = new CountSeries();
        double began = clock.NowS;
        double toOurs = double.PositiveInfinity;
        double grewAt = began;
        var ramp = new StreamRamp(streams, figures.FirstStreams, start, rttS, began);
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

            if (figures.Sent() is { } sent)
            {
                counts.Add(sent.TimeS, sent.Segments, sent.Retransmits);
                delivered.Add(sent.TimeS, sent.DeliveredBytes);
            }

            if (now - grewAt > SilenceS || !ramp.AnyRunning)
            {
                throw new IOException(before > 0 ? $"nothing came through any more after {grewAt - began:0.0} s" : "nothing comes through");
            }

            progress(series.LatestMbps(0.2));
            await ramp.StepAsync(now, figures.Least && delivered.Points.Count > 0 ? delivered : series, counts);
            bool over = now - began >= length.MostS;
            if (!over && (now - began < length.LeastS || !ramp.Settled))
            {
                continue;
            }

            SteadyRate? rate = figures.Least ? Least(series, delivered, toOurs, ramp.SettledS) : Rate(series, delivered, toOurs, ramp.SettledS);
            if (over || rate is { IsSteady: true })
            {
                rate = !figures.Least && rttS > LongWayS && rate is { } found ? Best(found, series, delivered, rttS) : rate;
                return new LoadResult(rate, series, delivered, ramp.Streams, rate is { } steady ? counts.RatioBetween(steady.FromS, steady.ToS) : null);
            }
        }
    }

    /// <summary>
    /// By what the receiver's selective acknowledgements say; where that does not fit what it has got (something on the way acknowledges in its
    /// name), by what it has got, which a lost packet holds up and then lets jump. On our clock.
    /// </summary>
    private static SteadyRate? Rate(RateSeries received, RateSeries delivered, double toOurs, double settledS)
    {
        SteadyRate? byReceiver = (double.IsFinite(settledS) ? SteadyState.Of(received, settledS - toOurs) : null) ?? SteadyState.Of(received);
        SteadyRate? bySender = (double.IsFinite(settledS) ? SteadyState.Of(delivered, settledS) : null) ?? SteadyState.Of(delivered);
        // Over most of the time, so that what jumps behind a loss is in it with what it jumped over.
        double? longRun = received.Points.Count == 0 ? null : received.Mbps(received.Points[0].TimeS + (RampPart * received.DurationS), received.Points[^1].TimeS);
        return byReceiver is { } r && bySender is { } s && Math.Abs(s.Mbps - longRun!.Value) < MostDisagreement * longRun
            ? s
            : byReceiver is { } own ? own with { FromS = own.FromS + toOurs, ToS = own.ToS + toOurs } : null;
    }

    /// <summary>Of a long way: the best that arrived in some round trips behind the first ones, where that is more.</summary>
    private static SteadyRate Best(SteadyRate rate, RateSeries received, RateSeries delivered, double rttS)
    {
        if (delivered.Points.Count == 0 || received.Points[^1].Bytes < LeastOfDelivered * delivered.Points[^1].Bytes)
        {
            return rate;
        }

        double from = delivered.Points[0].TimeS + (RampPart * delivered.DurationS);
        return SteadyState.BestOf(delivered, from, Math.Max(LeastFullS, FullRoundTrips * rttS)) is { } best && best.Mbps > rate.Mbps ? best : rate;
    }

    /// <summary>On our clock; null: nothing came.</summary>
    private static SteadyRate? Least(RateSeries received, RateSeries delivered, double toOurs, double settledS)
    {
        if (received.Points.Count < 2)
        {
            return null;
        }

        double began = received.Points[0].TimeS + toOurs;
        double to = received.Points[^1].TimeS + toOurs;
        double from = Math.Max(began + (RampPart * received.DurationS), Math.Min(settledS, began + (MostRampPart * received.DurationS)));
        double? inOrder = received.CaughtUpMbps(from - toOurs, to - toOurs);
        double? arrived = delivered.DurationS > 0 ? delivered.Mbps(from, to) : null;
        return inOrder is > 0 and var r ? new SteadyRate(arrived is > 0 and var s && s < r ? s : r, from, to, double.NaN, IsSteady: false) : null;
    }
}
