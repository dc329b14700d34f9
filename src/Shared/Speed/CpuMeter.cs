using Aggregator.Cli;
using Aggregator.Protocol.V1;

namespace Aggregator.Speed;

/// <summary>How busy this host's processors and this process are. One user at a time.</summary>
internal sealed class CpuMeter(TimeProvider time)
{
    /// <summary>The kernel counts in hundredths of a second: over less than this the ratios are coarse.</summary>
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(500);

    private long _at = time.GetTimestamp();
    private CpuTimes? _times = CpuTimes.Read();
    private TimeSpan _process = Environment.CpuUsage.TotalTime;

    /// <summary>Since the last answer; null: too little time has passed.</summary>
    internal SpeedHost? TryRead()
    {
        TimeSpan elapsed = time.GetElapsedTime(_at);
        if (elapsed < Window)
        {
            return null;
        }

        CpuTimes? now = CpuTimes.Read();
        TimeSpan process = Environment.CpuUsage.TotalTime;
        var host = new SpeedHost
        {
            Version = ProductVersion.Text,
            Cpus = (uint)Environment.ProcessorCount,
            ProcessRatio = Math.Clamp((process - _process) / elapsed / Environment.ProcessorCount, 0, 1),
        };
        if (now is not null && _times is not null && CpuTimes.Between(_times, now) is { } ratios)
        {
            host.CpuRatio = ratios.All;
            host.CpuBusiestRatio = ratios.Busiest;
        }

        (_at, _times, _process) = (time.GetTimestamp(), now, process);
        return host;
    }
}
