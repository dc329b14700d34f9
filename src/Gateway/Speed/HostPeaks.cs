using Aggregator.Protocol.V1;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>How busy both ends' processors were at most.</summary>
internal sealed class HostPeaks(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(600);

    private readonly CpuMeter _meter = new(time);

    /// <summary>Null: nothing known.</summary>
    internal SpeedHost? Gateway { get; private set; }

    internal SpeedHost? Vps { get; private set; }

    internal async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            // What went before is none of this.
            _ = _meter.TryRead();
            using var timer = new PeriodicTimer(Interval, time);
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                Gateway = Higher(Gateway, _meter.TryRead());
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    internal void TakeVps(SpeedSample sample) => Vps = Higher(Vps, sample.Host);

    /// <summary>That of the busier moment, whole: the figures belong together.</summary>
    private static SpeedHost? Higher(SpeedHost? known, SpeedHost? now) =>
        now is null || (known is not null && Busy(known) >= Busy(now)) ? known : now;

    private static double Busy(SpeedHost host) => host.HasCpuRatio ? host.CpuRatio : host.ProcessRatio;
}
