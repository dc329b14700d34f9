using System.Globalization;
using Aggregator.Host;

namespace Aggregator.Vps.Apply;

/// <summary>What the plan is made of.</summary>
/// <param name="MemoryBytes">What this system may have: the host's, or its memory cgroup's limit.</param>
/// <param name="HostMemoryBytes">The host's, for what all of it shares.</param>
/// <param name="HasSwap">Swap space is there.</param>
/// <param name="HasBbr">net.ipv4.tcp_available_congestion_control has it.</param>
internal sealed record TuneFacts(long MemoryBytes, long HostMemoryBytes, long PageBytes, bool HasSwap, bool HasBbr);

/// <summary>A lasting setting that a VPS does well to have, and why.</summary>
internal sealed record TuneItem(SysctlSetting Setting, string Reason);

/// <summary>
/// The settings for a host of a given size: a pure function. Unlike <see cref="WantedSettings"/> these are the administrator's choice and
/// outlive the daemon.
/// </summary>
internal static class TunePlan
{
    /// <summary>What a tracked connection takes in the kernel: the entry and its hash slots.</summary>
    private const long BytesPerConntrack = 320;

    internal static IReadOnlyList<TuneItem> For(TuneFacts facts)
    {
        long buffer = WantedSettings.BufferBytes(facts.MemoryBytes);
        long percent = TcpPercent(facts.HostMemoryBytes);
        long mark = facts.HostMemoryBytes / 100 * percent / facts.PageBytes;
        List<TuneItem> items =
        [
            new(Exact("net.ipv4.tcp_mem", $"{mark * 3 / 4} {mark} {mark * 3 / 2}"),
                $"all TCP buffers together: windows shrink from {percent} % of the memory on, before the system swaps or kills"),
            new(AtLeast("net.ipv4.tcp_rmem", buffer), "one connection's receive buffer: rate × delay of a fast and far link"),
            new(AtLeast("net.ipv4.tcp_wmem", buffer), "one connection's send buffer: what is on its way over every link stays in it"),
            new(AtLeast("net.core.rmem_max", buffer), "the same for programs that set their buffers themselves, such as QUIC"),
            new(AtLeast("net.core.wmem_max", buffer), "the same for sending"),
            new(AtLeast("net.core.somaxconn", 4096), "connections that wait to be accepted: a gateway opens its pool in one burst"),
            new(AtLeast("net.ipv4.tcp_max_syn_backlog", 4096), "handshakes under way at a time"),
            new(AtLeast("net.core.netdev_max_backlog", facts.HostMemoryBytes >= 512L << 20 ? 5000 : 2000), "packets that wait for a processor: bursts of several links are not dropped"),
            new(AtLeast("net.netfilter.nf_conntrack_max", Math.Clamp(facts.HostMemoryBytes / 20 / BytesPerConntrack, 16_384, 524_288)), "connections that the firewall tracks, at most 5 % of the memory"),
        ];
        if (facts.HasBbr)
        {
            items.Add(new(Exact("net.ipv4.tcp_congestion_control", "bbr"), "holds its rate on links that lose packets; also for what other programs of this host send"));
        }

        if (facts.HasSwap)
        {
            items.Add(new(new SysctlSetting(SysctlName.Of("vm.swappiness"), "10", SysctlRule.AtMost), "the daemon stays in memory: packets must not wait for the disk"));
        }

        return items;
    }

    /// <summary>TCP's share until windows shrink: the smaller the host, the more its other parts need of it.</summary>
    private static long TcpPercent(long memoryBytes) => memoryBytes >= 768L << 20 ? 16 : memoryBytes >= 192L << 20 ? 12 : 8;

    private static SysctlSetting Exact(string name, FormattableString value) => new(SysctlName.Of(name), FormattableString.Invariant(value));

    private static SysctlSetting Exact(string name, string value) => new(SysctlName.Of(name), value);

    private static SysctlSetting AtLeast(string name, long value) =>
        new(SysctlName.Of(name), value.ToString(CultureInfo.InvariantCulture), SysctlRule.AtLeast);
}
