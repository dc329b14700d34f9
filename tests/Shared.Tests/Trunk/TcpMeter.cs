using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Trunk;

namespace Aggregator.Shared.Tests.Trunk;

/// <summary>The kernel's figures of a plain TCP socket.</summary>
internal sealed class TcpMeter(Socket socket) : ILaneMeter
{
    public bool TryRead(out LaneReading reading)
    {
        reading = default;
        try
        {
            if (TcpInfo.TryRead(socket, out var info) != 0)
            {
                return false;
            }

            reading = new LaneReading
            {
                UnsentBytes = info.NotSentBytes,
                InFlightBytes = (long)info.UnacknowledgedSegments * info.SegmentBytes,
                PipeBytes = (long)info.PipeSegments * info.SegmentBytes,
                Rtt = info.Rtt,
                RttVariation = info.RttVariation,
                MinRtt = info.MinRtt,
                DeliveryRateBytesPerSecond = (long)info.DeliveryRateBytesPerSecond,
                PacingRateBytesPerSecond = (long)(info.PacingRateBytesPerSecond ?? 0),
                CongestionWindowBytes = (long)info.CongestionWindowBytes,
                AcknowledgedBytes = (long)info.BytesAcknowledged,
                RetransmittedSegments = info.Retransmits,
                SinceAcknowledgement = info.SinceAcknowledged,
            };
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }
}
