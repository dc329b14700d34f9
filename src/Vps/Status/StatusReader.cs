using System.Net;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Packets;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;

namespace Aggregator.Vps.Status;

/// <summary>The daemon's state as `status` shows it. Reads only.</summary>
internal sealed class StatusReader(
    GatewaySessions sessions, PairedGateways paired, HostSettings host, PacketDesk packets, KeyPin pin, IReadOnlyList<string> listenWarnings, TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();

    /// <summary>Where the port really is; set when it is open.</summary>
    internal EndPoint? Listen { get; set; }

    internal VpsStatus Read()
    {
        var live = sessions.All.ToDictionary(g => g.Pin);
        var status = new VpsStatus
        {
            Version = ProductVersion.Text,
            UptimeS = Math.Round(time.GetElapsedTime(_started).TotalSeconds, 1),
            Listen = Listen?.ToString() ?? "",
            Pin = pin.ToString(),
            Flows = new FlowCounts
            {
                Active = (ulong)live.Values.Sum(g => g.FlowsActive),
                Total = (ulong)live.Values.Sum(g => g.FlowsTotal),
                Failed = (ulong)live.Values.Sum(g => g.FlowsFailed),
            },
        };
        status.Gateways.AddRange(paired.All.Select(g => Of(g, live.GetValueOrDefault(g.Pin))));
        status.HostSettings.AddRange(host.Applied.Select(s => new HostSetting { Name = s.Name, Value = s.Value, Before = s.Before }));
        status.Warnings.AddRange(listenWarnings.Select(w => new Warning { Code = "listen", Text = w }));
        status.Warnings.AddRange(host.Problems.Select(p => new Warning { Code = "host-setting", Text = p }));
        status.Warnings.AddRange(paired.Problems.Select(p => new Warning { Code = "pairing", Text = p.Message }));
        return status;
    }

    private GatewaySession Of(PairedGateway gateway, LiveGateway? live)
    {
        var session = new GatewaySession { Name = gateway.Name, Pin = gateway.Pin.ToString() };
        if (live is null)
        {
            return session;
        }

        session.Connections = (uint)live.ConnectionCount;
        session.FlowsActive = (ulong)live.FlowsActive;
        session.RxBytes = (ulong)live.FromGateway.Value;
        session.TxBytes = (ulong)live.ToGateway.Value;
        session.Trunk = TrunkReader.Of(live);
        session.Packets = packets.Status(gateway.Pin);
        if (live.Control is { } control)
        {
            session.Connected = true;
            session.Version = control.Version;
            session.Address = control.Address.ToString();
            session.ConnectedS = Math.Round(time.GetElapsedTime(control.Since).TotalSeconds, 1);
        }

        return session;
    }
}
