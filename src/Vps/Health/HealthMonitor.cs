using System.Collections.Immutable;
using Aggregator.Health;
using Aggregator.Protocol.V1;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Health;

/// <summary>One look with its number, which grows.</summary>
internal sealed record HealthLook(long Number, HealthPicture Picture);

/// <summary>Looks at the host every <see cref="Interval"/> for as long as the daemon runs, and tells those who wait for the next look.</summary>
internal sealed class HealthMonitor(
    HostFiles files, GatewayLoads loads, ClockBoard clocks, TimeProvider time, ILogger<HealthMonitor> logger) : BackgroundService
{
    /// <summary>A change of the level is told within this time.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private TaskCompletionSource<HealthLook> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private HealthLook? _last;
    private IReadOnlyDictionary<string, HealthLevel> _found = ImmutableDictionary<string, HealthLevel>.Empty;
    private string _level = HealthReport.Name(HealthLevel.Ok);

    /// <summary>The newest look; waits for the first.</summary>
    internal ValueTask<HealthLook> CurrentAsync(CancellationToken cancellationToken) => AfterAsync(0, cancellationToken);

    /// <summary>The newest look, but none up to <paramref name="number"/>.</summary>
    internal ValueTask<HealthLook> AfterAsync(long number, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _last is { } last && last.Number > number ? new(last) : new(_next.Task.WaitAsync(cancellationToken));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        HealthSample? before = null;
        try
        {
            while (true)
            {
                try
                {
                    before = Look(before);
                }
                catch (Exception e)
                {
                    // A daemon carries traffic whether or not its host can be looked at.
                    logger.LookFailed(e);
                }

                await Task.Delay(Interval, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The daemon ends.
        }
    }

    private HealthSample Look(HealthSample? before)
    {
        var sample = HealthSample.Read(files, time, withProcess: true);
        var rates = before is null ? HealthRates.None : HealthRates.Between(before, sample, time);
        var picture = new HealthPicture(sample, rates) { Gateways = loads.Read(), Clocks = clocks.All, Before = _found };
        _found = HealthFindings.ByCode(HealthFindings.Of(picture));
        LogChange(HealthReport.Of(picture));
        TaskCompletionSource<HealthLook> told;
        HealthLook look;
        lock (_lock)
        {
            look = new HealthLook((_last?.Number ?? 0) + 1, picture);
            _last = look;
            told = _next;
            _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        told.SetResult(look);
        return sample;
    }

    private void LogChange(VpsHealth report)
    {
        if (report.Level == _level)
        {
            return;
        }

        string text = HealthText.Summary(report);
        if (report.Level == HealthReport.Name(HealthLevel.Ok))
        {
            logger.Recovered(_level);
        }
        else if (report.Level == HealthReport.Name(HealthLevel.Critical))
        {
            logger.Critical(_level, text);
        }
        else
        {
            logger.Warned(_level, text);
        }

        _level = report.Level;
    }
}
