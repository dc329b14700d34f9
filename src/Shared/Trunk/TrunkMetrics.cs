using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Aggregator.Trunk;

/// <summary>Counters of all sessions of the process, read when somebody listens.</summary>
internal static class TrunkMetrics
{
    private static readonly ConcurrentDictionary<TrunkSession, byte> Sessions = new();
    private static readonly Meter Meter = Make();

    internal static void Add(TrunkSession session)
    {
        _ = Meter;
        Sessions.TryAdd(session, 0);
    }

    internal static void Remove(TrunkSession session) => Sessions.TryRemove(session, out _);

    private static Meter Make()
    {
        var meter = new Meter(TrunkSession.MeterName);
        meter.CreateObservableGauge("trunk.sessions", () => Sessions.Count, "{session}", "Trunks at this moment");
        meter.CreateObservableGauge("trunk.streams", () => Each(s => s.StreamCount), "{stream}", "Streams at this moment");
        meter.CreateObservableGauge("trunk.reorder", () => Each(s => s.ReorderBytes), "By", "Received payload that waits for earlier bytes");
        meter.CreateObservableGauge("trunk.buffers", () => Each(s => s.SendBufferBytes + s.ReceiveBufferBytes), "By", "Payload in buffers");
        meter.CreateObservableCounter("trunk.resent", () => Each(s => s.ResentBytes), "By", "Payload sent more than once");
        meter.CreateObservableCounter("trunk.redundant", () => Each(s => s.RedundantBytes), "By", "Second copies of redundant streams");
        meter.CreateObservableCounter("trunk.duplicates", () => Each(s => s.DuplicateBytes), "By", "Payload received more than once");
        meter.CreateObservableCounter("trunk.lane.sent", () => EachLane(l => l.SentBytes), "By", "Payload handed to a lane");
        meter.CreateObservableCounter("trunk.lane.received", () => EachLane(l => l.ReceivedBytes), "By", "Payload that came on a lane");
        meter.CreateObservableGauge("trunk.lane.rate", () => EachLane(l => (long)((l.RateMbps ?? 0) * 1e6)), "bit/s", "What a lane can deliver");
        return meter;
    }

    private static IEnumerable<Measurement<long>> Each(Func<TrunkSample, long> value) =>
        [.. Sessions.Keys.Select(s => new Measurement<long>(value(s.Sample(0)), new KeyValuePair<string, object?>("trunk", s.Name)))];

    private static IEnumerable<Measurement<long>> EachLane(Func<TrunkLaneSample, long> value) =>
        [.. Sessions.Keys.SelectMany(s => s.Sample(0).Lanes.Select(l => new Measurement<long>(
            value(l),
            new KeyValuePair<string, object?>("trunk", s.Name),
            new KeyValuePair<string, object?>("link", l.Link),
            new KeyValuePair<string, object?>("lane", l.Id))))];
}
