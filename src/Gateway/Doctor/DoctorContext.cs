using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Packets;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor;

/// <summary>All that checks look at, taken at one moment; what must be asked over the lines is asked through it.</summary>
internal sealed record DoctorContext
{
    internal required GatewayConfig Config { get; init; }

    /// <summary>Where the configuration was read from; null: not known.</summary>
    internal string? ConfigPath { get; init; }

    /// <summary>The kernel's tables.</summary>
    internal required HostView Host { get; init; }

    /// <summary>With the daemon's probes where it runs.</summary>
    internal required LinkSnapshot Links { get; init; }

    /// <summary>Null: not paired, or the pairing cannot be read.</summary>
    internal PairedNode? Node { get; init; }

    /// <summary>Why <see cref="Node"/> or the VPS's addresses are not known.</summary>
    internal string? NodeProblem { get; init; }

    /// <summary>The preferred first.</summary>
    internal ImmutableArray<IPEndPoint> VpsAddresses { get; init; } = [];

    internal required HostFiles Files { get; init; }

    /// <summary>Null: the daemon is not running.</summary>
    internal DaemonState? Daemon { get; init; }

    /// <summary>By link name, of the last speed test kept that measured it.</summary>
    internal ImmutableDictionary<string, LinkSpeed> Speeds { get; init; } = ImmutableDictionary<string, LinkSpeed>.Empty;

    /// <summary>Null: there is no daemon, or it carries no packets.</summary>
    internal PacketIngress? Packets { get; init; }

    /// <summary>Null: the daemon is not running.</summary>
    internal SpeedTester? Speed { get; init; }

    /// <summary>Null: not paired, or the keys cannot be read.</summary>
    internal PathVerifier? Mptcp { get; init; }

    internal required PathViews Paths { get; init; }

    internal required TimeProvider Time { get; init; }

    /// <summary>Links over which something may be sent: there, with an address and a way out, and not switched off (they may cost money).</summary>
    internal IEnumerable<Link> UsableLinks => Links.Links.Where(l => Target(l) is not null);

    /// <summary>The VPS's address that a link can reach; null where it can reach none.</summary>
    internal IPEndPoint? Target(Link link) => LinkHealth.PathOf(link, VpsAddresses)?.Target;
}

/// <summary>What only a running daemon knows.</summary>
/// <param name="Status">As `status --json` has it, when the doctor began.</param>
/// <param name="Read">The same at the moment it is asked for.</param>
/// <param name="SinceContact">Since the VPS last answered on the control session; null: not since the daemon started.</param>
/// <param name="Traffic">Of each WAN in the last minute.</param>
internal sealed record DaemonState(GatewayStatus Status, Func<GatewayStatus> Read, TimeSpan? SinceContact, TrafficWindow Traffic);
