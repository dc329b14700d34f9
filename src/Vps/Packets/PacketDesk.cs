using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using Aggregator.Datagrams;
using Aggregator.Identity;
using Aggregator.Packets;
using Aggregator.Protocol.V1;
using Aggregator.Tun;
using Aggregator.Vps.Egress;
using Aggregator.Vps.Sessions;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Packets;

/// <summary>
/// The gateways that send packets: each has an interface of its own, so that no two meet and equal private networks do no harm. Made when
/// a gateway asks for the first time, ended with the gateway's revocation or with the daemon.
/// </summary>
internal sealed class PacketDesk(
    IPacketHost host, GatewaySessions sessions, EgressPolicySource rules, UdpServer udp, TimeProvider time, ILogger<PacketDesk> logger) : IAsyncDisposable
{
    /// <summary>Marks and tables have room for so many.</summary>
    internal const int MaxGateways = 250;

    private readonly ConcurrentDictionary<KeyPin, GatewayPackets> _gateways = new();
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <summary>Null: this gateway sends no packets.</summary>
    internal PacketStatus? Status(KeyPin pin) => _gateways.GetValueOrDefault(pin)?.Status();

    /// <returns>What the gateway is told; or the problem.</returns>
    internal async Task<(AttachReply? Reply, string? Problem)> AttachAsync(
        LiveGateway gateway, ImmutableArray<IPNetwork> networks, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await RemoveRevokedAsync();
            if (!_gateways.TryGetValue(gateway.Pin, out var packets))
            {
                (packets, string? problem) = await OpenAsync(gateway, cancellationToken);
                if (packets is null)
                {
                    logger.PacketsRefused(gateway.Name, problem!);
                    return (null, problem);
                }
            }

            packets.Join(gateway);
            await host.RouteAsync(packets.Number, packets.Port.Name, networks, cancellationToken);
            packets.Filter.Own = new PrefixSet(networks);
            logger.PacketsAttached(gateway.Name, packets.Port.Name, string.Join(", ", networks));
            return (new AttachReply { Ipv4 = packets.V4, Ipv6 = packets.V6, Nat = packets.Nat }, null);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>UDP lanes for a gateway that has told its networks: those it has, if they are as it says, or new ones.</summary>
    /// <returns>What the gateway is told; or the problem.</returns>
    internal async Task<(OpenLanesReply? Reply, string? Problem)> OpenLanesAsync(
        LiveGateway gateway, uint session, RealTimePolicy policy, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (!_gateways.TryGetValue(gateway.Pin, out var packets))
            {
                return (null, "this gateway has not told its networks yet");
            }

            var (port, problem) = udp.Open();
            if (problem is not null)
            {
                return (null, problem);
            }

            if (session != 0 && packets.Lanes is { Lanes.IsDisposed: false } there && there.Session == session && there.Lanes.Policy == policy)
            {
                return (new OpenLanesReply { Session = session, Port = (uint)port }, null);
            }

            var (lanes, reply) = GatewayLanes.Open(udp, port, policy, packets.Port, time, () => sessions.Find(gateway.Pin) is not null);
            await packets.SetLanesAsync(lanes);
            logger.LanesOpened(gateway.Name, policy.Text());
            return (reply, null);
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var packets in _gateways.Values)
        {
            await packets.DisposeAsync();
        }

        _gateways.Clear();
        _one.Dispose();
    }

    private async Task<(GatewayPackets? Packets, string? Problem)> OpenAsync(LiveGateway gateway, CancellationToken cancellationToken)
    {
        var taken = _gateways.Values.Select(g => g.Number).ToHashSet();
        int number = Enumerable.Range(1, MaxGateways).FirstOrDefault(n => !taken.Contains(n));
        if (number == 0)
        {
            return (null, $"{MaxGateways} gateways send packets here already");
        }

        var opened = await host.OpenAsync(number, cancellationToken);
        if (opened.Device is null)
        {
            return (null, opened.Problem);
        }

        var filter = new GatewayFilter(rules, time);
        var port = new TunPort(
            opened.Device, new FlowTable(PacketPolicy.Default, clientIsSource: false), filter, () => _gateways.GetValueOrDefault(gateway.Pin)?.Path, time, logger);
        var packets = new GatewayPackets(number, port, filter, opened.V4, opened.V6);
        _gateways[gateway.Pin] = packets;
        port.Start();
        return (packets, null);
    }

    private async Task RemoveRevokedAsync()
    {
        foreach (var (pin, packets) in _gateways)
        {
            if (sessions.Find(pin) is null && _gateways.TryRemove(pin, out _))
            {
                await packets.DisposeAsync();
            }
        }
    }
}
