using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Configuration;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Links;

/// <summary>Keeps one probe running for each path that the links show, and none for others.</summary>
internal sealed class PathProber(LinkMonitor monitor, ProbeConfig config, TimeProvider time, ILogger<PathProber> logger) : IAsyncDisposable
{
    private static readonly TimeSpan RestartAfterFailure = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<ProbePath, Running> _running = [];
    private ImmutableArray<IPEndPoint> _targets = [];
    private bool _stopped;

    /// <summary>Begins to follow the monitor's links.</summary>
    internal void Start() => monitor.Changed += Follow;

    internal void SetTargets(ImmutableArray<IPEndPoint> targets)
    {
        lock (_gate)
        {
            _targets = targets;
        }

        monitor.SetTargets(targets);
        Follow();
    }

    /// <summary>What the carrier's connections show of a WAN, by its interface.</summary>
    internal void Traffic(string @interface, TrafficSign sign)
    {
        lock (_gate)
        {
            foreach (var (path, running) in _running)
            {
                if (path.Interface == @interface)
                {
                    running.Probe?.Traffic(sign);
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        monitor.Changed -= Follow;
        Running[] all;
        lock (_gate)
        {
            _stopped = true;
            all = [.. _running.Values];
            _running.Clear();
        }

        foreach (var probe in all)
        {
            await probe.Stop.CancelAsync();
            await probe.Loop;
            probe.Stop.Dispose();
        }
    }

    private void Follow()
    {
        var ended = new List<(ProbePath Path, Running Probe)>();
        lock (_gate)
        {
            if (_stopped)
            {
                return;
            }

            var wanted = monitor.Current.Links.Select(l => LinkHealth.PathOf(l, _targets)).OfType<ProbePath>().ToHashSet();
            foreach (var (path, probe) in _running.Where(r => !wanted.Contains(r.Key)).ToArray())
            {
                _running.Remove(path);
                ended.Add((path, probe));
            }

            foreach (var path in wanted.Where(p => !_running.ContainsKey(p)))
            {
                var stop = new CancellationTokenSource();
                var running = new Running(stop);
                running.Loop = RunAsync(path, running, stop.Token);
                _running.Add(path, running);
            }
        }

        foreach (var (path, probe) in ended)
        {
            // Its last report may still be on its way; it is taken back when the loop has ended.
            _ = EndAsync(path, probe);
        }
    }

    private async Task EndAsync(ProbePath path, Running probe)
    {
        await probe.Stop.CancelAsync();
        await probe.Loop;
        probe.Stop.Dispose();
        bool back;
        lock (_gate)
        {
            back = _running.ContainsKey(path);
        }

        if (!back)
        {
            monitor.Report(path, null);
        }
    }

    private async Task RunAsync(ProbePath path, Running running, CancellationToken stop)
    {
        // The caller holds the lock; a first report from here would come back into it.
        await Task.Yield();
        while (!stop.IsCancellationRequested)
        {
            try
            {
                running.Probe = new PathProbe(path, config, time, health => monitor.Report(path, health));
                await running.Probe.RunAsync(stop);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                logger.ProbeFailed(e, path.Interface);
                await Task.Delay(RestartAfterFailure, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
        }
    }

    private sealed class Running(CancellationTokenSource stop)
    {
        internal CancellationTokenSource Stop { get; } = stop;

        internal Task Loop { get; set; } = Task.CompletedTask;

        /// <summary>Null until the loop has begun.</summary>
        internal volatile PathProbe? Probe;
    }
}
