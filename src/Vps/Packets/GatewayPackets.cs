using Aggregator.Datagrams;
using Aggregator.Protocol.V1;
using Aggregator.Trunk;
using Aggregator.Tun;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Packets;

/// <summary>One gateway's packets.</summary>
internal sealed class GatewayPackets : IAsyncDisposable
{
    private LiveGateway? _gateway;
    private volatile GatewayLanes? _lanes;

    internal GatewayPackets(int number, TunPort port, GatewayFilter filter, bool v4, bool v6)
    {
        (Number, Port, Filter, V4, V6) = (number, port, filter, v4, v6);
        Path = new RealTimePath(() => _lanes?.Lanes, () => _gateway?.PacketPath);
    }

    internal int Number { get; }

    internal TunPort Port { get; }

    internal GatewayFilter Filter { get; }

    internal bool V4 { get; }

    internal bool V6 { get; }

    /// <summary>
    /// Linux's masquerade keeps a client's port where it is free, so every target sees the same one (RFC 4787: endpoint-independent mapping until
    /// two clients use one port to one target), and lets in only whom the client wrote to.
    /// </summary>
    internal string Nat { get; } = "ports kept (endpoint-independent mapping, but for clients that meet on one port), address- and port-dependent filtering";

    /// <summary>UDP lanes for what is real time, and the trunk that carries, of those that the gateway has.</summary>
    internal RealTimePath Path { get; }

    internal GatewayLanes? Lanes => _lanes;

    /// <summary>New UDP lanes in the place of the last ones.</summary>
    internal async ValueTask SetLanesAsync(GatewayLanes lanes)
    {
        var old = _lanes;
        _lanes = lanes;
        if (old is not null)
        {
            await old.DisposeAsync();
        }
    }

    /// <summary>From now on this gateway's trunks deliver here, those to come too.</summary>
    internal void Join(LiveGateway gateway)
    {
        if (_gateway is { } other && other != gateway)
        {
            other.SetPacketSink(null);
        }

        _gateway = gateway;
        gateway.SetPacketSink(Port);
    }

    internal PacketStatus Status()
    {
        var counts = Port.Counts;
        var status = new PacketStatus
        {
            State = Path.IsOpen ? "on" : "waiting",
            Interface = Port.Name,
            UdpOffload = Port.HasUso,
            Nat = Nat,
            OutPackets = (ulong)counts.OutPackets,
            OutBytes = (ulong)counts.OutBytes,
            OutSuperPackets = (ulong)counts.OutSupers,
            OutRefused = (ulong)counts.OutRefused,
            OutLost = (ulong)counts.OutLost,
            InPackets = (ulong)counts.InPackets,
            InBytes = (ulong)counts.InBytes,
            InSuperPackets = (ulong)counts.InSupers,
            InRefused = (ulong)counts.InRefused,
            InMalformed = (ulong)counts.InMalformed,
            InLost = (ulong)counts.InLost,
        };
        status.Networks.AddRange(Filter.Own.Networks.Select(n => n.ToString()));
        if (_gateway?.PacketPath is TrunkSession session)
        {
            var sample = session.SampleDatagrams();
            sample.Tell(status);
        }

        if (_lanes is { } lanes)
        {
            status.Datagrams = UdpStatusText.Of(lanes.Lanes, _ => null);
            status.Dropped += (ulong)lanes.Lanes.Dropped;
            status.Waiting += (ulong)lanes.Lanes.Waiting;
        }

        return status;
    }

    public async ValueTask DisposeAsync()
    {
        _gateway?.SetPacketSink(null);
        if (_lanes is { } lanes)
        {
            await lanes.DisposeAsync();
        }

        Port.Dispose();
    }
}
