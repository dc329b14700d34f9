using System.Net;
using Aggregator.Cli;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Ingress;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Status;

/// <summary>Everything that `status` shows, put together at the moment it is asked for. Looks at the other rooms and changes nothing.</summary>
internal sealed class StatusReader(
    GatewayConfig config,
    NodeConnection node,
    HostController host,
    ICarrier carrier,
    TrunkReader trunk,
    FlowRegistry flows,
    IReadOnlyList<Warning> startWarnings,
    LinkExtras extras,
    MptcpWatch mptcp,
    Func<PacketStatus?> packets,
    Func<DnsStatus?> names,
    Func<ClientsStatus?> clients,
    TimeProvider time)
{
    private readonly long _started = time.GetTimestamp();

    internal GatewayStatus Read()
    {
        CarrierSample sample = trunk.Sample() ?? (carrier as MptcpCarrier)?.Sample() ?? CarrierSample.Read([], 0, 0);
        var status = new GatewayStatus
        {
            Version = ProductVersion.Text,
            UptimeS = time.GetElapsedTime(_started).TotalSeconds,
            Node = Node(),
            Carrier = carrier.Name,
            Flows = new FlowCounts { Active = (ulong)flows.Active, Total = (ulong)flows.Total, Failed = (ulong)flows.Failed },
            Pool = carrier is MptcpCarrier { Pool: var pool } ? new PoolStatus { Ready = (uint)pool.Ready, Dialing = (uint)pool.Dialing } : null,
            Trunk = trunk.Read(),
            Packets = packets(),
            Dns = names(),
            Clients = clients(),
            Direct = extras.Direct(),
            PathManager = host.PathManager,
        };
        status.Links.AddRange(host.Snapshot.Links.Select(link => Link(link, sample)));
        status.HostSettings.AddRange(host.Report.Settings.Select(s => new HostSetting { Name = s.Name, Value = s.Value, Before = s.Before }));
        status.Warnings.AddRange(startWarnings);
        status.Warnings.AddRange(host.Report.Warnings.Select(w => new Warning { Code = w.Code, Text = w.Text }));
        AddOwnWarnings(status, sample);
        TrunkReader.AddTo(status);
        AddVps(status);
        return status;
    }

    private void AddVps(GatewayStatus status)
    {
        if (node.Health.Report is { } report)
        {
            status.Vps = report;
            status.Warnings.AddRange(report.Findings.Select(f => new Warning { Code = $"vps-{f.Code}", Text = $"VPS: {f.Text}; {f.Remedy}" }));
        }
        else if (node.Health.IsVpsTooOld)
        {
            status.Warnings.Add(new Warning
            {
                Code = "vps-health-missing",
                Text = "the VPS is too old to report its health (memory, swap, limits): update aggregator-vps there",
            });
        }
    }

    private NodeStatus Node()
    {
        NodePicture picture = node.Picture;
        var status = new NodeStatus { State = picture.Reachability.ToString().ToLowerInvariant() };
        if (picture.Address is { } address)
        {
            status.Address = address;
        }

        if (node.RoundTrip is { } rtt)
        {
            status.RttMs = rtt.TotalMilliseconds;
        }

        if (picture.Version is { } version)
        {
            status.Version = version;
        }

        if (picture.Reason is { } reason)
        {
            status.Reason = reason;
        }

        if (picture.GatewayName is { } name)
        {
            status.Name = name;
        }

        return status;
    }

    private LinkStatus Link(Link link, CarrierSample sample)
    {
        var status = new LinkStatus
        {
            Name = link.Name,
            Interface = link.Interface,
            Role = link.Role.ToString().ToLowerInvariant(),
            State = link.State.ToString().ToLowerInvariant(),
            Mptcp = mptcp.Verdict(link, LinkMptcp.Verdict(link, sample)),
        };
        status.Addresses.AddRange(link.Addresses.Select(a => a.Address.ToString()));
        if (link.Reason is { } reason)
        {
            status.Reason = reason;
        }

        if (!link.Addresses.IsEmpty)
        {
            status.Address = link.Addresses[0].Address.ToString();
            status.Subflows = (uint)link.Addresses.Sum(a => sample.Established.GetValueOrDefault(a.Address));
        }

        if ((link.V4 ?? link.V6)?.Gateway is { } gateway)
        {
            status.Gateway = gateway.ToString();
        }

        if (link.RttMs is { } rtt)
        {
            status.RttMs = rtt;
        }

        if (link.LossRatio is { } loss)
        {
            status.LossRatio = loss;
        }

        if (link.JitterMs is { } jitter)
        {
            status.JitterMs = jitter;
        }

        if (link.LineAlive is { } alive)
        {
            status.LineAlive = alive;
        }

        if (InterfaceCounters.Read(link.Interface) is { } counters)
        {
            status.RxBytes = counters.RxBytes;
            status.TxBytes = counters.TxBytes;
        }

        extras.AddTo(status, link);
        return status;
    }

    /// <summary>It listens all the same, and is reached once the address is there.</summary>
    private static void AddListenerWarning(GatewayStatus status, string ingress, IPEndPoint? listen)
    {
        if (listen is not null && !LocalAddress.Exists(listen.Address))
        {
            status.Warnings.Add(new Warning
            {
                Code = "listen-address-missing",
                Text = $"no interface has the address {listen.Address} of `ingress.{ingress}`; clients reach it when one has",
            });
        }
    }

    private void AddOwnWarnings(GatewayStatus status, CarrierSample sample)
    {
        if (status.Clients is { HasReason: true } roaming)
        {
            status.Warnings.Add(new Warning { Code = "clients-unavailable", Text = $"roaming clients cannot come in: {roaming.Reason}" });
        }

        status.Warnings.AddRange(host.Snapshot.Links.Select(extras.QuotaWarning).OfType<Warning>());
        if (status.Direct is { Active: true } direct)
        {
            status.Warnings.Add(new Warning { Code = "direct", Text = $"new flows go out directly over the links, with the links' own addresses: {direct.Reason}" });
        }

        AddListenerWarning(status, "socks", config.Ingress.Socks);
        AddListenerWarning(status, "http", config.Ingress.Http);
        if (config.Dashboard is not null)
        {
            status.Warnings.Add(new Warning { Code = "dashboard-missing", Text = "this version has no dashboard; nothing listens there" });
        }

        if (!config.Encrypt && node.Picture is { Reachability: NodeReachability.Connected, Plain: null })
        {
            status.Warnings.Add(new Warning
            {
                Code = "cipher-refused",
                Text = "`cipher: none` is configured and the VPS does not allow it (`plain: allow` there); flows are encrypted",
            });
        }

        if (sample.FellBack > 0 && status.Trunk is null)
        {
            status.Warnings.Add(new Warning
            {
                Code = "mptcp-fallback",
                Text = $"{sample.FellBack} of {sample.Sampled} connections go on as plain TCP over one link: something on the way, or the VPS, does not let MPTCP through",
            });
        }
    }
}
