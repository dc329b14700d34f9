namespace Aggregator.Netlink;

/// <summary>What <see cref="RouteMonitor"/> reports. "Changed" covers the new as well: the kernel does not tell them apart.</summary>
internal abstract record NetlinkEvent
{
    private NetlinkEvent()
    {
    }

    /// <summary>The kernel dropped events. What is known may be stale in any part: dump again.</summary>
    internal sealed record EventsLost : NetlinkEvent;

    internal sealed record LinkChanged(LinkInfo Link) : NetlinkEvent;

    internal sealed record LinkRemoved(LinkInfo Link) : NetlinkEvent;

    internal sealed record AddressChanged(AddressInfo Address) : NetlinkEvent;

    internal sealed record AddressRemoved(AddressInfo Address) : NetlinkEvent;

    /// <summary>
    /// Added, or put in the place of another. When an interface goes down the kernel drops its IPv4 routes without a word: only
    /// <see cref="LinkChanged"/> tells.
    /// </summary>
    internal sealed record RouteChanged(RouteInfo Route) : NetlinkEvent;

    internal sealed record RouteRemoved(RouteInfo Route) : NetlinkEvent;

    internal sealed record RuleAdded(RuleInfo Rule) : NetlinkEvent;

    internal sealed record RuleRemoved(RuleInfo Rule) : NetlinkEvent;
}
