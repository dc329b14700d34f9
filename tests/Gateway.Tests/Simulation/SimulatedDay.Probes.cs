using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Tests.Simulation;

/// <content>Probes, as the gateway's own would go, and what becomes of them on their way.</content>
internal sealed partial class SimulatedDay
{
    /// <summary>As <see cref="PathProber"/> does.</summary>
    private void Follow()
    {
        var wanted = _monitor.Current.Links.Select(l => LinkHealth.PathOf(l, _targets)).OfType<ProbePath>().ToHashSet();
        foreach (var (path, probe) in _probes.Where(p => !wanted.Contains(p.Key)).ToArray())
        {
            _probes.Remove(path);
            probe.Ended = true;
            _monitor.Report(path, null);
        }

        foreach (var path in wanted.Where(p => !_probes.ContainsKey(p)))
        {
            var probe = new Probe(path, new PathTracker(_config.Probe));
            _probes.Add(path, probe);
            Schedule(TimeSpan.Zero, () => Ask(probe));
        }
    }

    private void Ask(Probe probe)
    {
        if (probe.Ended)
        {
            return;
        }

        Probes++;
        var nic = _host.Nics.Find(n => n.Index == probe.Path.Index);
        bool comesBack = nic is { Dead: false, Carrier: true } && nic.Addresses.Contains(probe.Path.Source) && _random.NextDouble() >= nic.Loss;
        TimeSpan roundTrip = nic is null ? TimeSpan.Zero : nic.RoundTrip * (0.9 + (0.2 * _random.NextDouble()));
        TimeSpan patience = probe.Tracker.AnswerTime;
        if (!comesBack || roundTrip > patience)
        {
            Schedule(patience, () => Told(probe, () => probe.Tracker.Missed(trafficArrives: false, "no answer")));
        }

        if (comesBack)
        {
            Schedule(roundTrip, () => Told(probe, () => probe.Tracker.Answered(roundTrip)));
        }

        if (!comesBack && _random.Next(3) == 0)
        {
            // Under load the silence is heard; now and then it is none.
            probe.Tracker.FellSilent();
        }

        Schedule(probe.Tracker.Interval, () => Ask(probe));
    }

    private void Told(Probe probe, Action tell)
    {
        if (probe.Ended)
        {
            return;
        }

        tell();
        var health = probe.Tracker.Health;
        if (probe.Reported is not { } before || before.State != health.State || before.Reason != health.Reason || before.Checking != health.Checking || before.Impaired != health.Impaired)
        {
            probe.Reported = health;
            _monitor.Report(probe.Path, health);
        }
    }

    private sealed class Probe(ProbePath path, PathTracker tracker)
    {
        internal ProbePath Path { get; } = path;

        internal PathTracker Tracker { get; } = tracker;

        internal PathHealth? Reported { get; set; }

        internal bool Ended { get; set; }
    }
}
