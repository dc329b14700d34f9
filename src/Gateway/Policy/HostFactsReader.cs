using Aggregator.Health;
using Aggregator.Host;

namespace Aggregator.Gateway.Policy;

/// <summary>Reads what policy must know of the host.</summary>
internal static class HostFactsReader
{
    /// <summary>The loopback is the first interface of every network namespace (LOOPBACK_IFINDEX in include/net/flow.h).</summary>
    internal const int LoopbackIndex = 1;

    internal static HostFacts Read(SysctlFiles files) => new(
        ProcessMemory.TotalBytes(new HostFiles()),
        files.Read(SysctlName.Of("net.mptcp.enabled")) is not null,
        files.Read(SysctlName.Of("net.ipv4.conf.all.rp_filter")) == "1",
        // Kernels before 6.15 have no list and know both managers if they have pm_type.
        files.Read(SysctlName.Of("net.mptcp.available_path_managers")) is { } managers
            ? managers.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains("userspace")
            : files.Read(SysctlName.Of("net.mptcp.pm_type")) is not null);
}
