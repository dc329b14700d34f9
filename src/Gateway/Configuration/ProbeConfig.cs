using System.Collections.Immutable;
using System.Net;

namespace Aggregator.Gateway.Configuration;

/// <summary>`probe:` how each WAN is watched. The VPS is always asked first; the other targets only while it does not answer.</summary>
internal sealed record ProbeConfig
{
    internal static readonly ProbeConfig Default = new();

    /// <summary>`probe.http`: asked over each WAN for a captive portal; it answers 204 where there is none. Null: only the VPS is asked.</summary>
    internal Uri? Http { get; init; }

    /// <summary>`probe.targets`: whoever of these answers shows that the line itself works.</summary>
    internal ImmutableArray<ProbeTarget> Targets { get; init; } = [];

    /// <summary>`probe.interval`: from one probe of a WAN that is well to the next. A dead idle line is known after this and <see cref="Fails"/> quick probes.</summary>
    internal TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>`probe.fails`: one lost probe is the line's business; so many in a row are an outage. On an idle line each but the first is three quick probes.</summary>
    internal int Fails { get; init; } = 3;

    /// <summary>`probe.successes`: one answer may be a straggler from before the outage.</summary>
    internal int Successes { get; init; } = 2;

    internal LinkMarks Marks { get; init; } = new();
}

/// <summary>Beyond these a link is degraded; below half of each it is well again. Null: not looked at.</summary>
internal sealed record LinkMarks
{
    /// <summary>`probe.loss`, of the latest 64 probes. Losing every tenth is beyond what a working line does.</summary>
    internal double? LossRatio { get; init; } = 0.1;

    /// <summary>`probe.latency`: smoothed round trip. A satellite line's 600 ms with some queue stay below it.</summary>
    internal TimeSpan? Latency { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>`probe.jitter`: mean deviation of the round trips.</summary>
    internal TimeSpan? Jitter { get; init; } = TimeSpan.FromMilliseconds(300);
}

internal enum ProbeKind
{
    Icmp,
    Tcp,
    Http,
    Dns,
}

/// <summary>Somebody who answers when a line works.</summary>
/// <param name="Port">0 for ICMP.</param>
/// <param name="Detail">The path and query asked for (HTTP), or the name (DNS); empty for the others.</param>
internal sealed record ProbeTarget(ProbeKind Kind, IPAddress Address, ushort Port, string Detail)
{
    /// <summary>As written.</summary>
    public override string ToString() => Kind switch
    {
        ProbeKind.Icmp => $"icmp://{Host}",
        ProbeKind.Dns => $"dns://{Host}{(Port == ProbeTargets.DnsPort ? "" : $":{Port}")}/{Detail}",
        ProbeKind.Http => $"http://{Host}{(Port == ProbeTargets.HttpPort ? "" : $":{Port}")}{Detail}",
        _ => $"tcp://{Host}:{Port}",
    };

    private string Host => Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{Address}]" : Address.ToString();
}
