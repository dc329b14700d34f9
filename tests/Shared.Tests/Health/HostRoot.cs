using Aggregator.Health;

namespace Aggregator.Shared.Tests.Health;

/// <summary>A directory that stands for a host's root, with the files that a test puts there.</summary>
internal sealed class HostRoot : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-health-").FullName;

    internal HostFiles Files => new(_directory);

    internal HostRoot With(string path, string content)
    {
        string file = Path.Join(_directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
        return this;
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>A server with 2 GB, nothing unusual on it.</summary>
    internal static HostRoot Usual() => new HostRoot()
        .With("/proc/meminfo", "MemTotal:        2000000 kB\nMemFree:          800000 kB\nMemAvailable:    1500000 kB\nSwapTotal:       1000000 kB\nSwapFree:         900000 kB\n")
        .With("/proc/vmstat", "nr_free_pages 1\npswpin 100\npswpout 200\n")
        .With("/proc/pressure/memory", "some avg10=0.12 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.05 avg60=0.00 avg300=0.00 total=1\n")
        .With("/proc/pressure/cpu", "some avg10=3.50 avg60=0.00 avg300=0.00 total=1\n")
        .With("/proc/net/sockstat", "sockets: used 15\nTCP: inuse 1 orphan 0 tw 0 alloc 125 mem 34\nUDP: inuse 0 mem 7\n")
        .With("/proc/net/dev", "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0:  100  10    0    1    0     0          0         0      200      20    0    2    0     0       0          0\n")
        .With("/proc/stat", "cpu  100 0 50 800 10 0 5 35 0 0\ncpu0 50 0 25 400 5 0 3 17 0 0\ncpu1 50 0 25 400 5 0 2 18 0 0\nintr 1 2\n")
        .With("/proc/loadavg", "0.52 0.58 0.59 2/389 12345\n")
        .With("/proc/sys/kernel/osrelease", "6.1.0-44-amd64\n")
        .With("/proc/sys/vm/swappiness", "10\n")
        .With("/proc/sys/fs/file-nr", "1897\t0\t2466177\n")
        .With("/proc/sys/net/ipv4/tcp_mem", "22335\t29781\t44670\n")
        .With("/proc/sys/net/ipv4/tcp_available_congestion_control", "reno bbr cubic\n")
        .With("/proc/sys/net/ipv4/tcp_congestion_control", "cubic\n")
        .With("/proc/sys/net/mptcp/enabled", "1\n")
        .With("/proc/sys/net/netfilter/nf_conntrack_count", "3\n")
        .With("/proc/sys/net/netfilter/nf_conntrack_max", "65536\n")
        .With("/proc/self/status", "Name:\taggregator-vps\nVmRSS:\t   51200 kB\nThreads:\t17\n")
        .With("/proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 524288               files     \n");

    /// <summary>A memory cgroup of version 1 with a group below its mount.</summary>
    internal HostRoot WithVersion1(string limit, string usage, string stat) => this
        .With("/proc/self/cgroup", "8:pids:/\n4:memory:/box\n0::/\n")
        .With("/proc/self/mountinfo", "31 23 0:28 / / rw - ext4 /dev/vda rw\n35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n")
        .With("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", limit)
        .With("/sys/fs/cgroup/memory/box/memory.usage_in_bytes", usage)
        .With("/sys/fs/cgroup/memory/box/memory.stat", stat)
        .With("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
}
