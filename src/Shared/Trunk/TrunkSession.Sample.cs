namespace Aggregator.Trunk;

/// <content>Figures.</content>
internal sealed partial class TrunkSession
{
    /// <summary>For status.</summary>
    /// <param name="maxStreams">The most streams to list.</param>
    internal TrunkSample Sample(int maxStreams)
    {
        lock (Gate)
        {
            long now = NowUs;
            double sent = _lanes.Sum(l => l.Engine!.SentRate.BytesPerSecond(now));
            long sendBuffers = 0;
            long receiveBuffers = 0;
            int redundant = 0;
            foreach (var stream in _engine.Streams.Values)
            {
                sendBuffers += stream.SendHeldBytes;
                receiveBuffers += stream.ReceiveHeldBytes;
                redundant += stream.FlowClass == FlowClass.Redundant ? 1 : 0;
            }

            return new TrunkSample
            {
                Lanes = [.. _lanes.Select(l => SampleLane(l, now, sent))],
                Streams = [.. _engine.Streams.Values
                    .OrderByDescending(s => s.SendHeldBytes + s.ReceiveHeldBytes).ThenByDescending(s => s.WriteEnd + s.ReceivedTo)
                    .Take(maxStreams).Select(SampleStream)],
                StreamCount = _engine.StreamCount,
                SendBufferBytes = sendBuffers,
                ReceiveBufferBytes = receiveBuffers,
                ReorderBytes = _engine.ReorderBytes,
                MaxReorderBytes = _engine.MaxReorderBytes,
                ResentBytes = _engine.ResentBytes,
                DuplicateBytes = _engine.DuplicateBytes,
                RedundantBytes = _engine.RedundantBytes,
                BufferLimitBytes = _engine.BufferLimitBytes,
                RedundantStreamCount = redundant,
            };
        }
    }

    /// <summary>The most reordered payload since the last call.</summary>
    internal long TakeReorderPeak()
    {
        lock (Gate)
        {
            return _engine.TakeReorderPeak();
        }
    }

    private static TrunkLaneSample SampleLane(TrunkLane lane, long now, double sent)
    {
        var engine = lane.Engine!;
        var estimate = engine.Estimate;
        ref readonly var reading = ref estimate.Reading;
        double rate = engine.SentRate.BytesPerSecond(now);
        return new TrunkLaneSample
        {
            Id = lane.Id,
            Link = lane.Link,
            Role = engine.Role,
            State = engine.StalledSinceUs is not null || engine.IsQuiet ? LaneState.Stalled
                : engine.Guard.DemotedUntilUs is not null ? LaneState.Demoted
                : engine.Role == LaneRole.Backup ? LaneState.Standby
                : LaneState.Active,
            RateMbps = estimate.IsRateKnown ? Mbps(estimate.RateBytesPerSecond) : null,
            SentMbps = Mbps(rate),
            ReceivedMbps = Mbps(engine.ReceivedRate.BytesPerSecond(now)),
            Rtt = reading.Rtt > TimeSpan.Zero ? reading.Rtt : null,
            MinRtt = reading.MinRtt,
            Delay = estimate.IsDelayKnown ? TimeSpan.FromMicroseconds(estimate.DelayUs) : null,
            QueuedBytes = (long)estimate.QueueBytes(now),
            InFlightBytes = engine.OutstandingBytes,
            CongestionWindowBytes = reading.CongestionWindowBytes,
            RetransmittedSegments = reading.RetransmittedSegments,
            SentBytes = engine.SentPayloadBytes,
            ReceivedBytes = engine.ReceivedPayloadBytes,
            ResentBytes = engine.ResentBytes,
            Share = sent > 0 ? rate / sent : null,
            Guard = engine.Guard.WithBytesPerSecond is { } with
                ? new GuardFinding(
                    Mbps(with),
                    engine.Guard.WithoutBytesPerSecond is { } without ? Mbps(without) : null,
                    engine.Guard.DemotedUntilUs is { } until ? TimeSpan.FromMicroseconds(Math.Max(0, until - now)) : null)
                : null,
        };
    }

    private TrunkStreamSample SampleStream(EngineStream stream) => new(
        stream.Id,
        stream.Target,
        stream.FlowClass,
        stream.WriteEnd,
        stream.ReceivedTo,
        stream.SendHeldBytes,
        stream.ReceiveHeldBytes,
        [.. _lanes.Where(l => (stream.LaneBits & (1UL << (int)(l.Id & 63))) != 0).Select(l => l.Id)]);

    private static double Mbps(double bytesPerSecond) => bytesPerSecond * 8 / 1e6;
}
