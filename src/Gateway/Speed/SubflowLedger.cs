using System.Net.Sockets;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Speed;

/// <summary>What each link's subflows carried while connections were watched, from both ends. One user at a time.</summary>
/// <param name="sockets">The connections, as they are at the moment.</param>
/// <param name="linkOf">The link that has this local address.</param>
internal sealed class SubflowLedger(Func<IEnumerable<Socket>> sockets, Func<System.Net.IPAddress, string?> linkOf)
{
    /// <summary>Connections looked at each time: a system call each.</summary>
    private const int MaxConnections = 64;

    private readonly Dictionary<(SubflowAddress Local, SubflowAddress Remote), Entry> _subflows = [];
    private readonly Dictionary<(string Local, string Remote), Far> _far = [];
    private readonly MptcpSubflow[] _buffer = new MptcpSubflow[MptcpSampler.MostSubflows];

    /// <summary>Reads our end.</summary>
    internal void Sample()
    {
        foreach (Entry entry in _subflows.Values)
        {
            entry.Alive = false;
        }

        foreach (Socket socket in sockets().Take(MaxConnections))
        {
            try
            {
                if (MptcpSampler.TryRead(socket, _buffer, out var sample) == 0)
                {
                    foreach (ref readonly MptcpSubflow subflow in _buffer.AsSpan(0, sample.Count))
                    {
                        Take(subflow.Local, subflow.Remote, subflow.Tcp);
                    }
                }
                else if (TcpInfo.TryRead(socket, out var tcp) == 0
                    && socket is { LocalEndPoint: System.Net.IPEndPoint local, RemoteEndPoint: System.Net.IPEndPoint remote })
                {
                    // It went on as plain TCP.
                    Take(SubflowAddress.From(local), SubflowAddress.From(remote), tcp);
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // It ended meanwhile.
            }
        }
    }

    /// <summary>What the VPS said of its end.</summary>
    internal void Take(SpeedSample sample)
    {
        foreach (SpeedSubflowSample subflow in sample.Subflows)
        {
            var key = (subflow.Local, subflow.Remote);
            if (!_far.TryGetValue(key, out Far? far))
            {
                _far[key] = far = new Far(subflow);
            }

            far.Last = subflow;
        }
    }

    /// <summary>Bytes received (down) or acknowledged (up) over each link since the first look.</summary>
    internal IReadOnlyDictionary<string, double> Carried(bool down) => _subflows
        .Where(s => s.Value.Link is not null)
        .GroupBy(s => s.Value.Link!)
        .ToDictionary(g => g.Key, g => g.Sum(s => down ? s.Value.Received : s.Value.Acknowledged));

    /// <summary>
    /// Bytes received in order on each subflow (down), or delivered by each (up): without the waits for one another that the connections have above
    /// them, and with what was sent twice.
    /// </summary>
    internal double Total(bool down) => _subflows.Values.Sum(s => down ? s.Received : s.Delivered);

    /// <summary>Of the senders' busy time, the parts in which the receiver's window or the send buffer held them up; null: they were not busy.</summary>
    internal SenderTimes? Senders(bool down)
    {
        double busy = 0;
        double receiver = 0;
        double buffer = 0;
        foreach (Far far in down ? _far.Values.AsEnumerable() : [])
        {
            busy += far.Last.BusyUs - (double)far.First.BusyUs;
            receiver += far.Last.ReceiverLimitedUs - (double)far.First.ReceiverLimitedUs;
            buffer += far.Last.BufferLimitedUs - (double)far.First.BufferLimitedUs;
        }

        foreach (Entry entry in down ? [] : _subflows.Values.AsEnumerable())
        {
            busy += (entry.Last.Busy - entry.First.Busy).TotalMicroseconds;
            receiver += (entry.Last.LimitedByReceiver - entry.First.LimitedByReceiver).TotalMicroseconds;
            buffer += (entry.Last.LimitedBySendBuffer - entry.First.LimitedBySendBuffer).TotalMicroseconds;
        }

        return busy > 0 ? new SenderTimes(Math.Clamp(receiver / busy, 0, 1), Math.Clamp(buffer / busy, 0, 1)) : null;
    }

    /// <summary>A line for each link and address of the VPS: shares of this direction, and its sender's figures.</summary>
    /// <param name="publicAddresses">By link, what the VPS sees, for those that no NAT lets keep their own.</param>
    internal IReadOnlyList<SpeedSubflow> Lines(bool down, IReadOnlyDictionary<string, string> publicAddresses)
    {
        double all = _subflows.Values.Sum(s => down ? s.Received : s.Acknowledged);
        var lines = new List<SpeedSubflow>();
        // One that never got through has no port over there, and nothing to tell.
        foreach (var group in _subflows.Where(s => s.Key.Remote.Port != 0 || s.Value.Alive).GroupBy(s => (s.Value.Link, Local: Address(s.Key.Local), Remote: s.Key.Remote.ToString())).OrderBy(g => g.Key.Link).ThenBy(g => g.Key.Local))
        {
            double carried = group.Sum(s => down ? s.Value.Received : s.Value.Acknowledged);
            var line = new SpeedSubflow
            {
                Local = group.Count() == 1 ? group.First().Key.Local.ToString() : group.Key.Local,
                Remote = group.Key.Remote,
                Connections = (uint)group.Count(),
                State = group.Any(s => s.Value.Alive) ? State(group.First(s => s.Value.Alive).Value.Last.State) : "closed",
            };
            if (group.Key.Link is { } link)
            {
                line.Link = link;
            }

            if (all > 0 && down)
            {
                line.ShareDown = carried / all;
            }
            else if (all > 0)
            {
                line.ShareUp = carried / all;
            }

            if (down)
            {
                AddFar(line, group.Key.Local, [.. group.Select(s => s.Key.Local.Port)], group.Key.Link is { } name ? publicAddresses.GetValueOrDefault(name) : null);
            }
            else
            {
                Entry[] busy = [.. group.Select(s => s.Value).Where(e => e.Acknowledged > 0)];
                line.Retransmits = (ulong)group.Sum(s => (double)s.Value.Last.Retransmits - s.Value.First.Retransmits);
                line.Cwnd = (ulong)busy.Sum(e => e.Last.CongestionWindowSegments);
                if (busy.Length > 0)
                {
                    line.RttMs = busy.Sum(e => e.Last.Rtt.TotalMilliseconds * e.Acknowledged) / busy.Sum(e => e.Acknowledged);
                }
            }

            lines.Add(line);
        }

        return lines;
    }

    /// <summary>The VPS's end of these subflows: by the address and ports that they have here, or, behind NAT, by the link's public address.</summary>
    private void AddFar(SpeedSubflow line, string local, HashSet<ushort> ports, string? publicAddress)
    {
        Far[] far = [.. _far.Values.Where(f => System.Net.IPEndPoint.TryParse(f.Last.Remote, out var from)
            && ((from.Address.ToString() == local && ports.Contains((ushort)from.Port)) || (from.Address.ToString() != local && from.Address.ToString() == publicAddress)))];
        if (far.Length == 0)
        {
            return;
        }

        Far[] busy = [.. far.Where(f => f.Acknowledged > 0)];
        line.Retransmits = (ulong)far.Sum(f => Math.Max(0, (double)f.Last.Retransmits - f.First.Retransmits));
        line.Cwnd = (ulong)busy.Sum(f => (double)f.Last.Cwnd);
        if (busy.Length > 0)
        {
            line.RttMs = busy.Sum(f => f.Last.RttMs * f.Acknowledged) / busy.Sum(f => f.Acknowledged);
        }
    }

    private void Take(SubflowAddress local, SubflowAddress remote, in TcpInfo tcp)
    {
        if (!_subflows.TryGetValue((local, remote), out Entry? entry))
        {
            _subflows[(local, remote)] = entry = new Entry(tcp, local.ToEndPoint() is { } end ? linkOf(end.Address) : null);
        }

        entry.Last = tcp;
        entry.Alive = true;
    }

    private static string Address(SubflowAddress address) => address.ToEndPoint()?.Address.ToString() ?? "unknown";

    private static string State(TcpState state) => string.Concat(state.ToString().Select((c, i) => char.IsUpper(c) && i > 0 ? $"-{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));

    private sealed class Entry(TcpInfo first, string? link)
    {
        internal TcpInfo First { get; } = first;

        internal TcpInfo Last { get; set; } = first;

        internal string? Link { get; } = link;

        internal bool Alive { get; set; }

        internal double Received => Math.Max(0, (double)Last.BytesReceived - First.BytesReceived);

        internal double Acknowledged => Math.Max(0, (double)Last.BytesAcknowledged - First.BytesAcknowledged);

        internal double Delivered => Math.Max(0, Last.BytesDelivered - First.BytesDelivered);
    }

    private sealed class Far(SpeedSubflowSample first)
    {
        internal SpeedSubflowSample First { get; } = first;

        internal SpeedSubflowSample Last { get; set; } = first;

        internal double Acknowledged => Math.Max(0, (double)Last.AcknowledgedBytes - First.AcknowledgedBytes);
    }
}
