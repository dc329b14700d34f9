using Aggregator.Mptcp;

namespace Aggregator.Gateway.Links;

/// <summary>One of the carrier's connections as <see cref="TrafficWatch"/> last saw it.</summary>
internal sealed class SeenConnection
{
    private const int MostSubflows = 9;

    private readonly Before[] _before = new Before[MostSubflows];

    private int _count;

    /// <summary>When it last showed progress, or something of it waited.</summary>
    internal TimeSpan Moved { get; set; }

    /// <summary>The number of the look that <see cref="Keep"/> was last called in; 0: none.</summary>
    internal long LastLook { get; private set; }

    /// <summary>
    /// Bytes that came in order or were acknowledged since the look before this one, and of these the acknowledged ones. Nothing where this connection
    /// was not looked at then: they may have come before the line fell silent.
    /// </summary>
    /// <param name="any">It has moved since it was last looked at, whenever that was.</param>
    internal (long All, long Acknowledged) Progress(in MptcpSubflow now, long look, out bool any)
    {
        any = false;
        for (int i = 0; i < _count; i++)
        {
            if (_before[i].Local == now.Local && _before[i].Remote == now.Remote)
            {
                long acknowledged = Rise(_before[i].Acknowledged, now.Tcp.BytesAcknowledged);
                long all = acknowledged + Rise(_before[i].Received, now.Tcp.BytesReceived);
                any = all > 0;
                return LastLook == look - 1 ? (all, acknowledged) : (0, 0);
            }
        }

        // Seen for the first time: what it moved before says nothing of now.
        return (0, 0);
    }

    /// <summary>
    /// Segments with payload that moved either way since the look before this one, and of these the ones that were sent again or came out of order: behind
    /// a loss, as one path keeps its order.
    /// </summary>
    internal (long Segments, long Amiss) Losses(in MptcpSubflow now, long look)
    {
        for (int i = 0; i < _count && LastLook == look - 1; i++)
        {
            if (_before[i].Local == now.Local && _before[i].Remote == now.Remote)
            {
                return (
                    Rise(_before[i].Sent, now.Tcp.DataSegmentsSent) + Rise(_before[i].Came, now.Tcp.DataSegmentsReceived),
                    Rise(_before[i].Again, now.Tcp.Retransmits) + Rise(_before[i].OutOfOrder, now.Tcp.SegmentsOutOfOrder));
            }
        }

        return (0, 0);
    }

    internal void Keep(ReadOnlySpan<MptcpSubflow> subflows, long look)
    {
        LastLook = look;
        _count = Math.Min(subflows.Length, _before.Length);
        for (int i = 0; i < _count; i++)
        {
            ref readonly MptcpSubflow subflow = ref subflows[i];
            _before[i] = new Before(
                subflow.Local, subflow.Remote, subflow.Tcp.BytesReceived, subflow.Tcp.BytesAcknowledged,
                subflow.Tcp.DataSegmentsSent, subflow.Tcp.DataSegmentsReceived, subflow.Tcp.Retransmits, subflow.Tcp.SegmentsOutOfOrder);
        }
    }

    private static long Rise(ulong before, ulong now) => now > before ? (long)(now - before) : 0;

    private readonly record struct Before(
        SubflowAddress Local, SubflowAddress Remote, ulong Received, ulong Acknowledged, uint Sent, uint Came, uint Again, uint OutOfOrder);
}
