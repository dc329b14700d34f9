using System.Globalization;
using Aggregator.Host;
using Aggregator.Mptcp;

namespace Aggregator.Vps.Apply;

/// <summary>What the VPS wants of its host, and nothing that it could do without. A pure function of the memory.</summary>
internal static class WantedSettings
{
    /// <summary>
    /// The kernel's default is 2 extra subflows for a connection and no announced address accepted; a gateway has up to eight WANs.
    /// 8 is the most up to Linux 6.18.
    /// </summary>
    internal static readonly MptcpLimits Limits = new(Subflows: 8, AcceptedAddresses: 8);

    /// <summary>Never asked for less: Linux's own default for the maximum of tcp_rmem on hosts with memory.</summary>
    private const long MinBufferBytes = 6L << 20;

    /// <summary>
    /// The window of one connection is about half of it: 16 MiB are 500 Mbit/s over 250 ms. Memory is taken only as far as a connection
    /// needs it, and the kernel's tcp_mem bounds all of them together.
    /// </summary>
    private const long MaxBufferBytes = 32L << 20;

    /// <summary>One connection may take this part of the memory.</summary>
    private const long MemoryShare = 64;

    /// <summary>
    /// What gateways' connections start with; half of it is the first window, enough for 150 Mbit/s over 100 ms.
    /// Linux 6.18 does not grow the receive buffer of an accepted MPTCP connection that exchanged a few bytes and then waited, as every
    /// connection of a warm pool does: uploads over 100 and 50 Mbit/s stayed at 11 Mbit/s, and reach 142 with this.
    /// </summary>
    private const long FirstBufferBytes = 4L << 20;

    /// <summary>
    /// While the port is opened, and no longer: accepted connections take the listening socket's buffer size over, and this way (unlike
    /// SO_RCVBUF) without losing autotuning. The host's other sockets are not to start with that much.
    /// </summary>
    internal static IReadOnlyList<SysctlSetting> WhileOpening(long totalMemoryBytes) =>
    [
        new SysctlSetting(
            SysctlName.Of("net.ipv4.tcp_rmem"),
            string.Create(CultureInfo.InvariantCulture, $"{Math.Min(FirstBufferBytes, BufferBytes(totalMemoryBytes))} {BufferBytes(totalMemoryBytes)}"),
            SysctlRule.AtLeast),
    ];

    internal static IReadOnlyList<SysctlSetting> Sysctls(long totalMemoryBytes)
    {
        string buffer = BufferBytes(totalMemoryBytes).ToString(CultureInfo.InvariantCulture);
        return
        [
            // The sender decides when a silent subflow is left alone; downloads are sent from here. 4 retransmission time-outs without
            // an answer, the default, took up to 1.1 s of black hole; 1 took 0.1 to 0.4 s.
            new SysctlSetting(SysctlName.Of("net.mptcp.stale_loss_cnt"), "1"),
            new SysctlSetting(SysctlName.Of("net.ipv4.tcp_rmem"), buffer, SysctlRule.AtLeast),
            new SysctlSetting(SysctlName.Of("net.ipv4.tcp_wmem"), buffer, SysctlRule.AtLeast),
            // A lane or a pool's connection must not start from the beginning because it waited.
            new SysctlSetting(SysctlName.Of("net.ipv4.tcp_slow_start_after_idle"), "0"),
        ];
    }

    /// <summary>
    /// For answers that come in on whatever interface leads to the internet. IPv6 has a switch for each interface since Linux 6.17; the one before, for
    /// the whole host, would stop it from hearing router advertisements, so those interfaces that live by them are told to go on.
    /// </summary>
    internal static IReadOnlyList<SysctlSetting> Forwarding()
    {
        var settings = new List<SysctlSetting>
        {
            new(SysctlName.Of("net.ipv4.ip_forward"), "1"),

            // This host's ICMP errors about a gateway's packets find the way back to it by the mark of what they are about.
            new(SysctlName.Of("net.ipv4.fwmark_reflect"), "1"),
            new(SysctlName.Of("net.ipv6.fwmark_reflect"), "1"),
        };
        string[] interfaces = [.. System.Net.NetworkInformation.NetworkInterface.GetAllNetworkInterfaces().Select(i => i.Name).Where(n => n is not "lo" && !n.StartsWith("aggv", StringComparison.Ordinal))];
        var files = new SysctlFiles();
        if (files.Read(SysctlName.Of("net.ipv6.conf.all.force_forwarding")) is not null)
        {
            settings.AddRange(interfaces.Select(i => new SysctlSetting(SysctlName.Of("net", "ipv6", "conf", i, "force_forwarding"), "1")));
        }
        else
        {
            settings.AddRange(interfaces.Select(i => new SysctlSetting(SysctlName.Of("net", "ipv6", "conf", i, "accept_ra"), "2", SysctlRule.InPlaceOfOne)));
            settings.Add(new SysctlSetting(SysctlName.Of("net.ipv6.conf.all.forwarding"), "1"));
        }

        return settings;
    }

    internal static long BufferBytes(long totalMemoryBytes) => Math.Clamp(totalMemoryBytes / MemoryShare, MinBufferBytes, MaxBufferBytes);
}
