using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Aggregator.Trunk;
using Aggregator.Tun;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Packets;

/// <summary>One gateway's packets.</summary>
internal sealed class GatewayPackets(int number, TunPort port, GatewayFilter filter, bool v4, bool v6) : IDisposable
{
    private LiveGateway? _gateway;

    internal int Number { get; } = number;

    internal TunPort Port { get; } = port;

    internal GatewayFilter Filter { get; } = filter;

    internal bool V4 { get; } = v4;

    internal bool V6 { get; } = v6;

    /// <summary>
    /// Linux's masquerade keeps a client's port where it is free, so every target sees the same one (RFC 4787: endpoint-independent mapping until
    /// two clients use one port to one target), and lets in only whom the client wrote to.
    /// </summary>
    internal string Nat { get; } = "ports kept (endpoint-independent mapping, but for clients that meet on one port), address- and port-dependent filtering";

    /// <summary>The trunk that carries, of those that the gateway has.</summary>
    internal IPacketPath? Path => _gateway?.PacketPath;

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
            State = Path is null ? "waiting" : "on",
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
        if (Path is TrunkSession session)
        {
            var sample = session.SampleDatagrams();
            sample.Tell(status);
        }

        return status;
    }

    public void Dispose()
    {
        _gateway?.SetPacketSink(null);
        Port.Dispose();
    }
}
