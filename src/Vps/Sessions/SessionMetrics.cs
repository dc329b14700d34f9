using System.Diagnostics.Metrics;

namespace Aggregator.Vps.Sessions;

/// <summary>The sessions' figures for `dotnet-counters` and collectors, under the meter `Aggregator.Vps`. Read when somebody asks.</summary>
internal sealed class SessionMetrics
{
    internal const string MeterName = "Aggregator.Vps";

    public SessionMetrics(IMeterFactory meters, GatewaySessions sessions)
    {
        var meter = meters.Create(MeterName);
        meter.CreateObservableUpDownCounter("aggregator.flows.active", () => Sum(sessions, g => g.FlowsActive), "{flow}");
        meter.CreateObservableCounter("aggregator.flows", () => Sum(sessions, g => g.FlowsTotal), "{flow}");
        meter.CreateObservableCounter("aggregator.flows.failed", () => Sum(sessions, g => g.FlowsFailed), "{flow}");
        meter.CreateObservableCounter("aggregator.received", () => Sum(sessions, g => g.FromGateway.Value), "By");
        meter.CreateObservableCounter("aggregator.sent", () => Sum(sessions, g => g.ToGateway.Value), "By");
    }

    private static IEnumerable<Measurement<long>> Sum(GatewaySessions sessions, Func<LiveGateway, long> value) =>
        sessions.All.Select(g => new Measurement<long>(value(g), new KeyValuePair<string, object?>("gateway", g.Name)));
}
