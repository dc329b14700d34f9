using System.Globalization;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What the kernel and this process's rights must be for everything else.</summary>
/// <param name="Release">`uname -r`.</param>
/// <param name="MptcpEnabled">net.mptcp.enabled; null: no MPTCP in this kernel.</param>
/// <param name="BlackholeTimeout">net.mptcp.blackhole_timeout; null: the kernel has none.</param>
/// <param name="SubflowLimit">Of the path manager; null: not known.</param>
/// <param name="Capabilities">CapEff of /proc/self/status; null: not known.</param>
internal sealed record KernelFacts(string? Release, bool? MptcpEnabled, long? BlackholeTimeout, uint? SubflowLimit, ulong? Capabilities);

internal sealed class KernelCheck : ICheck
{
    // linux/capability.h
    private const int CapNetAdmin = 12;
    private const int CapNetRaw = 13;

    private static readonly Version Least = new(6, 1);

    public string Id => "kernel";

    public string Title => "Kernel, MPTCP settings and rights";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        using var manager = await MptcpPathManager.OpenAsync(cancellationToken);
        var facts = new KernelFacts(
            context.Files.Read("/proc/sys/kernel/osrelease")?.Trim(),
            context.Files.Number("/proc/sys/net/mptcp/enabled") is { } enabled ? enabled == 1 : null,
            context.Files.Number("/proc/sys/net/mptcp/blackhole_timeout"),
            manager is null ? null : (await manager.LimitsAsync(cancellationToken)).Subflows,
            Capabilities(context.Files.Read("/proc/self/status") ?? ""));
        return Decide(facts, context.Links.Links.Count(l => l.Role != Configuration.LinkRole.Off), context.Daemon is not null);
    }

    /// <param name="facts">As found.</param>
    /// <param name="links">Those in use: each needs a subflow of a connection.</param>
    /// <param name="running">The daemon, which sets all this; without it, what it would set is no fault.</param>
    internal static Finding Decide(KernelFacts facts, int links, bool running)
    {
        var findings = new List<Finding>();
        if (facts.MptcpEnabled is null)
        {
            findings.Add(Finding.Fail($"this kernel ({facts.Release ?? "unknown"}) has no MPTCP", "run a distribution's kernel of 6.1 or later"));
        }
        else if (facts.MptcpEnabled == false)
        {
            findings.Add(Finding.Fail("MPTCP is switched off", "`sysctl net.mptcp.enabled=1`, and remove what switches it off"));
        }

        if (ReleaseOf(facts.Release) is { } release && release < Least)
        {
            findings.Add(Finding.Warn($"kernel {facts.Release} is older than 6.1, with which this is tested", "update the kernel"));
        }

        if (running && facts.BlackholeTimeout is > 0)
        {
            findings.Add(Finding.Warn(
                $"net.mptcp.blackhole_timeout is {facts.BlackholeTimeout}: one bad link can switch MPTCP off for that many seconds",
                "something sets it back; find it in /etc/sysctl.d, or set it to 0 there"));
        }

        if (running && facts.SubflowLimit is { } limit && limit + 1 < links)
        {
            findings.Add(Finding.Warn($"MPTCP's limit of {limit} subflows is too low for {links} links", $"something sets it back; `ip mptcp limits set subflows {links}`"));
        }

        if (facts.Capabilities is { } held && (Missing(held, CapNetAdmin) || Missing(held, CapNetRaw)))
        {
            findings.Add(Finding.Warn(
                $"this process lacks {(Missing(held, CapNetAdmin) ? "CAP_NET_ADMIN" : "CAP_NET_RAW")}: it cannot manage the host's network, or probe the links",
                "run it as root or by the systemd unit of deploy/"));
        }

        return findings.Count > 0 ? Finding.Join(findings, "") : Finding.Ok($"kernel {facts.Release}, MPTCP enabled, all rights");
    }

    /// <summary>The line `CapEff:` of /proc/PID/status (proc(5)), hexadecimal. Null: none there. Takes any text.</summary>
    internal static ulong? Capabilities(string status)
    {
        foreach (string line in status.Split('\n'))
        {
            if (line.StartsWith("CapEff:", StringComparison.Ordinal))
            {
                return ulong.TryParse(line["CapEff:".Length..].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong held) ? held : null;
            }
        }

        return null;
    }

    /// <summary>Major and minor of `6.18.5-amd64` and the like. Null: something else.</summary>
    internal static Version? ReleaseOf(string? text)
    {
        string[] parts = (text ?? "").Split('.', '-', '+');
        return parts.Length >= 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor)
            ? new Version(major, minor)
            : null;
    }

    private static bool Missing(ulong held, int capability) => (held & (1UL << capability)) == 0;
}
