using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.Health;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Health;

/// <summary>
/// What the live gateways move and over which round trips, as this side's sockets and counters know it. For one caller at a time.
/// </summary>
internal sealed class GatewayLoads(GatewaySessions sessions, TimeProvider time)
{
    /// <summary>How long a rate counts as what the links can do: an evening's download is over by then, and its buffers may be needed again.</summary>
    internal static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    /// <summary>Connections of a gateway that are looked at: they share its links, so a few tell all.</summary>
    private const int MaxSampled = 32;

    private readonly Dictionary<KeyPin, Track> _tracks = [];
    private readonly MptcpSubflow[] _subflows = new MptcpSubflow[MptcpSampler.MostSubflows];

    /// <summary>Gateways that have something open.</summary>
    internal ImmutableArray<GatewayLoad> Read()
    {
        long now = time.GetTimestamp();
        var loads = ImmutableArray.CreateBuilder<GatewayLoad>();
        var live = sessions.All;
        foreach (var gateway in live)
        {
            if (!_tracks.TryGetValue(gateway.Pin, out var track))
            {
                _tracks[gateway.Pin] = track = new Track();
            }

            double rate = track.Add(gateway.FromGateway.Value, gateway.ToGateway.Value, now, time);
            var (rtt, links) = Paths(gateway.Sockets(MaxSampled));
            if (links > 0)
            {
                loads.Add(new GatewayLoad(gateway.Name, rate, rtt, links, gateway.FlowsActive));
            }
        }

        foreach (var gone in _tracks.Keys.Except(live.Select(g => g.Pin)).ToArray())
        {
            _tracks.Remove(gone);
        }

        return loads.ToImmutable();
    }

    private (TimeSpan Rtt, int Links) Paths(IReadOnlyList<Socket> sockets)
    {
        var longest = TimeSpan.Zero;
        var remotes = new HashSet<IPAddress>();
        foreach (var socket in sockets)
        {
            try
            {
                if (MptcpSampler.TryRead(socket, _subflows, out var sample) == 0)
                {
                    foreach (ref readonly var subflow in _subflows.AsSpan(0, sample.Count))
                    {
                        Add(subflow.Tcp, subflow.Remote.ToEndPoint()?.Address);
                    }
                }
                else if (TcpInfo.TryRead(socket, out var tcp) == 0)
                {
                    Add(tcp, (socket.RemoteEndPoint as IPEndPoint)?.Address);
                }
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // It ended meanwhile.
            }
        }

        return (longest, remotes.Count);

        void Add(in TcpInfo tcp, IPAddress? remote)
        {
            if (tcp.State is TcpState.Established or TcpState.CloseWait && remote is not null)
            {
                remotes.Add(remote);
                longest = tcp.Rtt > longest ? tcp.Rtt : longest;
            }
        }
    }

    /// <summary>One gateway's rate and the most of it within <see cref="Memory"/>: candidates only, each lower than those before it.</summary>
    private sealed class Track
    {
        private readonly LinkedList<(long At, double Rate)> _highest = new();
        private long? _at;
        private long _from;
        private long _to;

        internal double Add(long from, long to, long now, TimeProvider time)
        {
            if (_at is { } before && time.GetElapsedTime(before, now).TotalSeconds is > 0 and var seconds)
            {
                double rate = Math.Max(from - _from, to - _to) / seconds;
                while (_highest.Last is { } last && last.Value.Rate <= rate)
                {
                    _highest.RemoveLast();
                }

                _highest.AddLast((now, rate));
                while (_highest.First is { } first && time.GetElapsedTime(first.Value.At, now) > Memory)
                {
                    _highest.RemoveFirst();
                }
            }

            (_at, _from, _to) = (now, from, to);
            return _highest.First?.Value.Rate ?? 0;
        }
    }
}
