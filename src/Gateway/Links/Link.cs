using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>Names as in `status --json`, in lower case.</summary>
internal enum LinkState
{
    Up,

    /// <summary>Works, but loses probes or answers only through its traffic.</summary>
    Degraded,

    Down,
}

/// <summary>One WAN at one moment. Immutable.</summary>
internal sealed record Link
{
    /// <summary>What people call it.</summary>
    internal required string Name { get; init; }

    /// <summary>The kernel's name.</summary>
    internal required string Interface { get; init; }

    /// <summary>What it is used as at this moment: <see cref="AskedRole"/>, unless a quota, a schedule, its cost or full lines say otherwise.</summary>
    internal required LinkRole Role { get; init; }

    /// <summary>From the configuration, or as `link NAME ROLE` set it since.</summary>
    internal LinkRole AskedRole { get; init; }

    /// <summary>Why <see cref="Role"/> is not <see cref="AskedRole"/>; null where it is.</summary>
    internal string? RoleReason { get; init; }

    /// <summary>A captive portal answers in the place of others, and what it does not let through includes the VPS.</summary>
    internal bool BehindPortal { get; init; }

    /// <summary>Decides the WAN's routing table; the same for an interface's name for good.</summary>
    internal required int Slot { get; init; }

    /// <summary>The kernel's index; 0 while there is no such interface.</summary>
    internal int Index { get; init; }

    internal bool Present => Index > 0;

    /// <summary>Administratively up and with a carrier.</summary>
    internal bool Carrier { get; init; }

    /// <summary>Usable addresses of global scope, each family's best first.</summary>
    internal ImmutableArray<LinkAddress> Addresses { get; init; } = [];

    /// <summary>The way out for IPv4; null when none is known.</summary>
    internal NextHop? V4 { get; init; }

    internal NextHop? V6 { get; init; }

    internal LinkState State { get; init; } = LinkState.Down;

    /// <summary>Why it is not up, or not known to be; null when it is.</summary>
    internal string? Reason { get; init; }

    /// <summary>Usable as far as the host can see, and therefore used and shown as up, but no probe has decided yet.</summary>
    internal bool Checking { get; init; }

    internal double? RttMs { get; init; }

    /// <summary>Probes lost of those sent lately, 0 to 1; null before the first.</summary>
    internal double? LossRatio { get; init; }

    /// <summary>Mean deviation of the round trips; null before the second answer.</summary>
    internal double? JitterMs { get; init; }

    /// <summary>A mark of the configuration (loss, latency, jitter) is exceeded: degraded, and used where there is nothing better.</summary>
    internal bool Impaired { get; init; }

    /// <summary>
    /// Whether the line itself works, the VPS aside: somebody answers over it. Null: not known. Differs from <see cref="State"/> where the VPS alone is away.
    /// </summary>
    internal bool? LineAlive { get; init; }

    /// <summary>While the VPS does not answer: whether the link's own next hop does. Null: not asked.</summary>
    internal bool? NextHopAnswers { get; init; }

    /// <summary>It works, but has come and gone so often that it must hold for this long first. Null: it need not.</summary>
    internal TimeSpan? HeldFor { get; init; }

    /// <summary>Worth sending to: not switched off, there, and not known to be dead. One that no probe has decided about is worth a try.</summary>
    internal bool Usable => Role != LinkRole.Off && Present && !BehindPortal && State != LinkState.Down;

    /// <summary>The address that connections of this family start from.</summary>
    internal IPAddress? Address(AddressFamily family)
    {
        foreach (var a in Addresses)
        {
            if (a.Address.AddressFamily == family)
            {
                return a.Address;
            }
        }

        return null;
    }

    internal NextHop? NextHop(AddressFamily family) => family == AddressFamily.InterNetwork ? V4 : V6;

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name} {Interface}#{Index} slot {Slot} {Role}{(Carrier ? "" : " no-carrier")} [{string.Join(' ', Addresses)}] v4 {V4?.ToString() ?? "-"} v6 {V6?.ToString() ?? "-"} {State}{(Checking ? "?" : "")}{(Impaired ? " impaired" : "")}{(LineAlive is { } alive ? alive ? " alive" : " dead" : "")}{(BehindPortal ? " portal" : "")}{(Reason is null ? "" : $" ({Reason})")}{(RoleReason is null ? "" : $" [{AskedRole}: {RoleReason}]")}");
}

/// <summary>An address with the length of its network's prefix.</summary>
internal readonly record struct LinkAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>The network that is reached directly because of this address.</summary>
    internal IPNetwork Network => Networks.Of(Address, PrefixLength);

    public override string ToString() => $"{Address}/{PrefixLength}";
}

/// <summary>The way out of an interface.</summary>
/// <param name="Gateway">Null on a point-to-point line, where the interface alone says it.</param>
internal readonly record struct NextHop(IPAddress? Gateway)
{
    public override string ToString() => Gateway is null ? "direct" : $"via {Gateway}";
}
