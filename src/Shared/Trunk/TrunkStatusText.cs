using Aggregator.Protocol.V1;

namespace Aggregator.Trunk;

/// <summary>A session's sample in the words of `status --json` (proto/aggregator/v1/trunk.proto); the same at both ends.</summary>
internal static class TrunkStatusText
{
    internal static TrunkStatus Of(TrunkSample sample)
    {
        var status = new TrunkStatus
        {
            Streams = (uint)sample.StreamCount,
            SendBufferBytes = Positive(sample.SendBufferBytes),
            ReceiveBufferBytes = Positive(sample.ReceiveBufferBytes),
            ReorderBytes = Positive(sample.ReorderBytes),
            ReorderPeakBytes = Positive(sample.MaxReorderBytes),
            ResentBytes = Positive(sample.ResentBytes),
            DuplicateBytes = Positive(sample.DuplicateBytes),
            RedundantStreams = (uint)sample.RedundantStreamCount,
            RedundantBytes = Positive(sample.RedundantBytes),
            BufferLimitBytes = Positive(sample.BufferLimitBytes),
        };
        status.Lanes.AddRange(sample.Lanes.Select(Of));
        return status;
    }

    internal static string Role(LaneRole role) => role == LaneRole.Backup ? "backup" : "normal";

    private static string State(LaneState state) => state switch
    {
        LaneState.Active => "carrying",
        LaneState.Standby => "standby",
        LaneState.Stalled => "stalled",
        _ => "demoted",
    };

    private static TrunkLaneStatus Of(TrunkLaneSample lane)
    {
        var status = new TrunkLaneStatus
        {
            Id = lane.Id,
            Link = lane.Link,
            State = State(lane.State),
            Role = Role(lane.Role),
            SentMbps = Rounded(lane.SentMbps),
            ReceivedMbps = Rounded(lane.ReceivedMbps),
            QueueBytes = Positive(lane.QueuedBytes),
            InFlightBytes = Positive(lane.InFlightBytes),
            CongestionWindowBytes = Positive(lane.CongestionWindowBytes),
            RetransmittedSegments = Positive(lane.RetransmittedSegments),
            SentBytes = Positive(lane.SentBytes),
            ReceivedBytes = Positive(lane.ReceivedBytes),
            ResentBytes = Positive(lane.ResentBytes),
        };
        if (lane.RateMbps is { } rate)
        {
            status.RateMbps = Rounded(rate);
        }

        if (lane.Rtt is { } rtt)
        {
            status.RttMs = Rounded(rtt.TotalMilliseconds);
        }

        if (lane.MinRtt is { } least)
        {
            status.MinRttMs = Rounded(least.TotalMilliseconds);
        }

        if (lane.Delay is { } delay)
        {
            status.DelayMs = Rounded(delay.TotalMilliseconds);
        }

        if (lane.Share is { } share)
        {
            status.Share = Math.Round(share, 3);
        }

        if (lane.Guard is { } guard)
        {
            status.Guard = new TrunkGuardStatus { WithMbps = Rounded(guard.WithMbps) };
            if (guard.WithoutMbps is { } without)
            {
                status.Guard.WithoutMbps = Rounded(without);
            }

            if (guard.RetryIn is { } retry)
            {
                status.Guard.RetryInS = Rounded(retry.TotalSeconds);
            }
        }

        return status;
    }

    private static double Rounded(double value) => Math.Round(value, 2);

    private static ulong Positive(long value) => (ulong)Math.Max(0, value);
}
