using System.Collections.Immutable;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>
/// What the kernel's MPTCP can do in one network namespace, found by trying: stable kernels carry backports, so versions say little.
/// </summary>
internal sealed record MptcpFeatures
{
    private const string Settings = "/proc/sys/net/mptcp";

    /// <summary>MPTCP sockets of IPv4 and of IPv6 can be made; 0, else the errno of the attempt.</summary>
    internal required int IPv4Errno { get; init; }

    internal required int IPv6Errno { get; init; }

    /// <summary>An IPv4 MPTCP socket can be made: the kernel has MPTCP and net.mptcp.enabled is 1.</summary>
    internal bool HasSockets => IPv4Errno == 0;

    /// <summary>MPTCP_FULL_INFO: all subflows in one call.</summary>
    internal bool HasFullInfo { get; init; }

    /// <summary>TCP_IS_MPTCP.</summary>
    internal bool HasIsMptcp { get; init; }

    /// <summary>The generic netlink family mptcp_pm.</summary>
    internal bool HasPathManager { get; init; }

    /// <summary>The highest limits that the path manager takes; null if it does not tell.</summary>
    internal uint? MaxSubflows { get; init; }

    internal uint? MaxAcceptedAddresses { get; init; }

    /// <summary>The names of what is below /proc/sys/net/mptcp, e.g. "blackhole_timeout".</summary>
    internal ImmutableHashSet<string> Sysctls { get; init; } = [];

    /// <summary>net.mptcp.enabled; null if there is no such setting.</summary>
    internal bool? IsEnabled { get; init; }

    /// <summary>Path managers by name; kernels before 6.15 have no list and know both if they have pm_type.</summary>
    internal ImmutableArray<string> PathManagers { get; init; } = [];

    internal ImmutableArray<string> Schedulers { get; init; } = [];

    /// <summary>net.ipv4.tcp_available_congestion_control.</summary>
    internal ImmutableArray<string> CongestionControls { get; init; } = [];

    internal bool HasUserspacePathManager => PathManagers.Contains("userspace");

    internal bool HasBlackholeTimeout => Sysctls.Contains("blackhole_timeout");

    /// <summary>Probes the namespace of the calling thread; everything that belongs to it is asked before this returns a task.</summary>
    internal static Task<MptcpFeatures> ProbeAsync(CancellationToken cancel = default)
    {
        int ipv4 = Probe(AddressFamily.InterNetwork, out bool fullInfo, out bool isMptcp);
        int ipv6 = Probe(AddressFamily.InterNetworkV6, out _, out _);
        ImmutableHashSet<string> sysctls = Directory.Exists(Settings)
            ? [.. Directory.EnumerateFiles(Settings).Select(file => Path.GetFileName(file))]
            : [];
        var found = new MptcpFeatures
        {
            IPv4Errno = ipv4,
            IPv6Errno = ipv6,
            HasFullInfo = fullInfo,
            HasIsMptcp = isMptcp,
            Sysctls = sysctls,
            IsEnabled = Words(Settings + "/enabled") is [var enabled] ? enabled == "1" : null,
            PathManagers = sysctls.Contains("available_path_managers") ? Words(Settings + "/available_path_managers")
                : sysctls.Contains("pm_type") ? ["kernel", "userspace"]
                : [],
            Schedulers = Words(Settings + "/available_schedulers"),
            CongestionControls = Words("/proc/sys/net/ipv4/tcp_available_congestion_control"),
        };
        return AddPathManagerAsync(found, MptcpPathManager.OpenAsync(cancel), cancel);

        static async Task<MptcpFeatures> AddPathManagerAsync(MptcpFeatures found, Task<MptcpPathManager?> opening, CancellationToken cancel)
        {
            using MptcpPathManager? manager = await opening;
            if (manager is null)
            {
                return found;
            }

            (uint? subflows, uint? accepted) = await manager.ProbeLimitsAsync(cancel);
            return found with { HasPathManager = true, MaxSubflows = subflows, MaxAcceptedAddresses = accepted };
        }
    }

    /// <summary>Makes a socket and asks it, unconnected, for what later connections will be asked for.</summary>
    private static unsafe int Probe(AddressFamily family, out bool fullInfo, out bool isMptcp)
    {
        fullInfo = false;
        isMptcp = false;
        try
        {
            using Socket socket = MptcpSocket.Create(family);
            int* value = stackalloc int[1];
            uint length = sizeof(int);
            isMptcp = Libc.getsockopt(socket.SafeHandle, Libc.SOL_TCP, Libc.TCP_IS_MPTCP, value, &length) == 0;
            fullInfo = MptcpSampler.TryReadFull(socket, [], out _) == 0;
            return 0;
        }
        catch (LibcException e)
        {
            return e.Errno;
        }
    }

    /// <summary>The words of a setting; none if the kernel does not have it.</summary>
    private static ImmutableArray<string> Words(string path)
        => File.Exists(path) ? [.. File.ReadAllText(path).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)] : [];
}
