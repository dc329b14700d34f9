using Aggregator.Cli;
using Aggregator.Health;
using Aggregator.Protocol.V1;

namespace Aggregator.Speed;

/// <summary>How busy this host's processors and this process are, and what of them it may have. One user at a time.</summary>
internal sealed class CpuMeter
{
    /// <summary>The kernel counts in hundredths of a second: over less than this the ratios are coarse.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(500);

    private readonly TimeProvider _time;
    private readonly HostFiles _files;
    private readonly Func<TimeSpan> _processTime;
    private long _at;
    private CpuTimes? _times;
    private CgroupCpu? _group;
    private TimeSpan _process;

    internal CpuMeter(TimeProvider time)
        : this(time, new HostFiles(), () => Environment.CpuUsage.TotalTime)
    {
    }

    /// <param name="processTime">This process' processor time so far.</param>
    internal CpuMeter(TimeProvider time, HostFiles files, Func<TimeSpan> processTime)
    {
        (_time, _files, _processTime) = (time, files, processTime);
        (_at, _times, _group, _process) = (time.GetTimestamp(), CpuTimes.Read(files), CgroupCpu.Read(files), processTime());
    }

    /// <summary>Since the last answer; null: too little time has passed.</summary>
    internal SpeedHost? TryRead()
    {
        TimeSpan elapsed = _time.GetElapsedTime(_at);
        if (elapsed < Window)
        {
            return null;
        }

        CpuTimes? now = CpuTimes.Read(_files);
        CgroupCpu? group = CgroupCpu.Read(_files);
        TimeSpan process = _processTime();

        // The runtime's count knows the processors that the process may run on, and rounds a quota up.
        double mayHave = Environment.ProcessorCount;
        var host = new SpeedHost { Version = ProductVersion.Text, Cpus = (uint)Environment.ProcessorCount };
        if (now is not null && _times is not null && CpuTimes.Between(_times, now) is { } ratios)
        {
            host.CpuRatio = ratios.All;
            host.CpuBusiestRatio = ratios.Busiest;
        }

        if (group is { } quota)
        {
            mayHave = Math.Min(mayHave, quota.LimitCpus);
            host.LimitCpus = quota.LimitCpus;
            if (_group is { } before && before.LimitCpus == quota.LimitCpus)
            {
                Set(CgroupCpu.Busy(before, quota, elapsed), v => host.CpuRatio = Math.Max(host.CpuRatio, v));
                Set(CgroupCpu.Throttled(before, quota), v => host.ThrottledRatio = v);
            }
        }

        host.ProcessRatio = Math.Clamp((process - _process) / elapsed / mayHave, 0, 1);
        (_at, _times, _group, _process) = (_time.GetTimestamp(), now, group, process);
        return host;
    }

    private static void Set(double? value, Action<double> set)
    {
        if (value is { } known)
        {
            set(known);
        }
    }
}
