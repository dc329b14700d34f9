using System.Collections.Immutable;
using System.Net;
using Aggregator.Datagrams;

namespace Aggregator.Gateway.Configuration;

/// <summary>What the user asked for in gateway.yaml, validated. Immutable; a reload makes a new one.</summary>
internal sealed record GatewayConfig
{
    /// <summary>Interfaces whose clients are carried.</summary>
    internal ImmutableArray<string> Lan { get; init; } = [];

    /// <summary>Null: every interface with a default route that is not in <see cref="Lan"/>.</summary>
    internal ImmutableArray<WanConfig>? Wans { get; init; }

    internal IngressConfig Ingress { get; init; } = new();

    /// <summary>One connection a WAN, scheduled by ourselves.</summary>
    internal const string TrunkCarrier = "trunk";

    /// <summary>One connection a flow, scheduled by the kernel.</summary>
    internal const string MptcpCarrier = "mptcp";

    /// <summary>As written: <see cref="TrunkCarrier"/> or <see cref="MptcpCarrier"/>.</summary>
    internal string Carrier { get; init; } = TrunkCarrier;

    /// <summary>`paths: kernel`: the subflows of <see cref="MptcpCarrier"/> are the kernel's affair, by endpoints, also where it would leave them to us.</summary>
    internal bool PathsByKernel { get; init; }

    /// <summary>`tls` (default) or `none`: data connections authenticated but not encrypted, where the VPS allows it too.</summary>
    internal bool Encrypt { get; init; } = true;

    internal IPEndPoint? Dashboard { get; init; }

    internal ProbeConfig Probe { get; init; } = ProbeConfig.Default;

    /// <summary><see cref="ProbeConfig.Http"/>.</summary>
    internal Uri? ProbeHttp => Probe.Http;

    internal DirectConfig Direct { get; init; } = new();

    /// <summary>Null: clients ask whom they like.</summary>
    internal DnsConfig? Dns { get; init; }

    internal RedundantFlows Redundant { get; init; } = RedundantFlows.None;

    /// <summary>Which lanes of UDP real-time packets take; null: they ride the trunk.</summary>
    internal RealTimePolicy? RealTime { get; init; } = RealTimePolicy.Best;

    /// <summary>Null: nobody from outside is carried.</summary>
    internal ClientsConfig? Clients { get; init; }

    /// <summary>A directory of programs that are run at every event. Null: none.</summary>
    internal string? Hooks { get; init; }

    internal string State { get; init; } = "/var/lib/aggregator-gateway";

    internal string Api { get; init; } = "/run/aggregator/gateway.sock";
}

/// <param name="Interface">The kernel's name.</param>
/// <param name="Name">What people call it; the interface's name unless given.</param>
/// <param name="Gateway">The next hop, where it should not be taken from the interface's default route.</param>
internal sealed record WanConfig(string Interface, string Name, LinkRole Role, IPAddress? Gateway)
{
    internal LinkLimits Limits { get; init; } = LinkLimits.None;
}

internal enum LinkRole
{
    Active,
    Backup,
    Off,
}

internal sealed record IngressConfig
{
    /// <summary>The LAN's traffic, IPv4 and IPv6: TCP by TPROXY, everything else as packets.</summary>
    internal bool Transparent { get; init; }

    /// <summary>`transparent: tunnel`: TCP goes as packets too, with both ends' own TCP.</summary>
    internal bool WholeIp { get; init; }

    internal IPEndPoint? Socks { get; init; }

    /// <summary>Empty: no authentication asked.</summary>
    internal ImmutableArray<ProxyUser> SocksUsers { get; init; } = [];

    internal IPEndPoint? Http { get; init; }
}

internal sealed record ProxyUser(string Name, string Password);
