using Aggregator.Protocol.V1;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>How busy both ends' processors were while load was on: the reading in the middle, because a moment's peak limits nothing.</summary>
internal sealed class HostLoads(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(600);

    private readonly Lock _lock = new();
    private readonly CpuMeter _meter = new(time);
    private readonly List<SpeedHost> _gateway = [];
    private readonly List<SpeedHost> _vps = [];

    /// <summary>Since the last <see cref="Restart"/>. Null: nothing known.</summary>
    internal LoadSigns Signs(string? link, bool down, SenderTimes? senders) => new(link, down, Middle(_gateway), Middle(_vps), senders);

    /// <summary>Forgets what was before: another load begins.</summary>
    internal void Restart()
    {
        lock (_lock)
        {
            _gateway.Clear();
            _vps.Clear();
        }
    }

    internal async Task WatchAsync(CancellationToken cancellationToken)
    {
        try
        {
            // What went before is none of this.
            _ = _meter.TryRead();
            using var timer = new PeriodicTimer(Interval, time);
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                Add(_gateway, _meter.TryRead());
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    internal void TakeVps(SpeedSample sample) => Add(_vps, sample.Host);

    private void Add(List<SpeedHost> readings, SpeedHost? reading)
    {
        if (reading is not null)
        {
            lock (_lock)
            {
                readings.Add(reading);
            }
        }
    }

    private SpeedHost? Middle(List<SpeedHost> readings)
    {
        lock (_lock)
        {
            return readings.Count == 0 ? null : readings.OrderBy(r => Math.Max(r.CpuRatio, r.ProcessRatio)).ElementAt(readings.Count / 2);
        }
    }
}
