using System.Collections.Immutable;
using System.Text;
using Aggregator.Host;

namespace Aggregator.Gateway.Policy;

/// <summary>All that the gateway wants of the host. Immutable, and readable as text.</summary>
internal sealed record DesiredState
{
    /// <summary>Nothing: what `down` applies.</summary>
    internal static readonly DesiredState Nothing = new();

    internal ImmutableArray<HostRoute> Routes { get; init; } = [];

    internal ImmutableArray<HostRule> Rules { get; init; } = [];

    internal ImmutableArray<HostEndpoint> Endpoints { get; init; } = [];

    /// <summary>From where each connection is to have a subflow, where they are opened for each by itself; no change of the host.</summary>
    internal ImmutableArray<HostEndpoint> Paths { get; init; } = [];

    internal HostMptcpLimits? MptcpLimits { get; init; }

    internal ImmutableArray<SysctlSetting> Sysctls { get; init; } = [];

    internal TproxyTable? Tproxy { get; init; }

    internal DirectTable? Direct { get; init; }

    internal ImmutableArray<HostCap> Caps { get; init; } = [];

    /// <summary>Slots of WANs that lead out: a direct connection of the kernel's over another one is ended.</summary>
    internal ImmutableArray<int> LeadingOut { get; init; } = [];

    /// <summary>What the user should know of this decision.</summary>
    internal ImmutableArray<HostWarning> Warnings { get; init; } = [];

    public override string ToString()
    {
        var text = new StringBuilder();
        Lines(text, "route", Routes);
        Lines(text, "rule", Rules);
        Lines(text, "endpoint", Endpoints);
        Lines(text, "path", Paths);
        if (MptcpLimits is { } limits)
        {
            text.Append("limits ").Append(limits).Append('\n');
        }

        Lines(text, "sysctl", Sysctls);
        Lines(text, "cap", Caps);
        text.Append(Tproxy);
        text.Append(Direct);
        Lines(text, "warning", Warnings);
        return text.ToString();
    }

    private static void Lines<T>(StringBuilder text, string kind, ImmutableArray<T> items)
    {
        foreach (var item in items)
        {
            text.Append(kind).Append(' ').Append(item).Append('\n');
        }
    }
}

/// <summary>As in the status's `warnings`.</summary>
/// <param name="Code">Stable, for scripts: lower case with hyphens.</param>
internal sealed record HostWarning(string Code, string Text)
{
    public override string ToString() => $"{Code}: {Text}";
}
