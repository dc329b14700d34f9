using Aggregator.Protocol.V1;

namespace Aggregator.Datagrams;

/// <summary>In the words of `status --json`; the same at both ends.</summary>
internal static class UdpStatusText
{
    /// <param name="link">The name of a lane's WAN; null: not known here.</param>
    internal static DatagramLanesStatus Of(UdpLanes lanes, Func<int, string?> link)
    {
        var counts = lanes.Counts;
        var received = lanes.Receiver.Counts;
        bool isWell = lanes.IsWell;
        var status = new DatagramLanesStatus
        {
            Policy = lanes.Policy.Text(),
            State = isWell ? "udp" : "trunk",
            Sent = (ulong)counts.Sent,
            Copies = (ulong)counts.Copies,
            ByTrunk = (ulong)counts.Refused,
            Received = (ulong)counts.Received,
            Duplicates = (ulong)received.Duplicates,
            HeldForOrder = (ulong)received.Held,
            Missing = (ulong)received.Missing,
            Late = (ulong)received.Late,
            Malformed = (ulong)(counts.Malformed + counts.Replayed + received.Malformed),
        };
        if (!isWell)
        {
            status.Reason = "no answer by UDP over any line";
        }

        status.Lanes.AddRange(lanes.Sample().Select(l => Of(l, link(l.Id))));
        return status;
    }

    private static DatagramLaneStatus Of(UdpLaneSample sample, string? link)
    {
        var lane = new DatagramLaneStatus
        {
            Lane = (uint)sample.Id,
            State = sample.IsWell ? "up" : sample.HasOutlet ? "silent" : "away",
            Best = sample.IsBest,
            Backup = sample.IsBackup,
            TxBytes = (ulong)sample.SentBytes,
            RxBytes = (ulong)sample.ReceivedBytes,
        };
        if (link is not null)
        {
            lane.Link = link;
        }

        Set(sample.RttMs, v => lane.RttMs = v);
        Set(sample.JitterOutMs, v => lane.JitterOutMs = v);
        Set(sample.JitterInMs, v => lane.JitterInMs = v);
        Set(sample.LossOut, v => lane.LossOutRatio = v);
        Set(sample.LossIn, v => lane.LossInRatio = v);
        return lane;
    }

    private static void Set(double? value, Action<double> set)
    {
        if (value is { } known)
        {
            set(known);
        }
    }
}
