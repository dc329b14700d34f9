using System.Globalization;

namespace Aggregator.Lab.Product;

/// <summary>What a process has used, from /proc (proc(5)).</summary>
/// <param name="CpuSeconds">User and system time, ended children included.</param>
/// <param name="ResidentBytes">VmRSS.</param>
/// <param name="PeakResidentBytes">VmHWM: the peak since the start or since <see cref="ResetPeak"/>.</param>
internal readonly record struct ProcessUsage(double CpuSeconds, long ResidentBytes, long PeakResidentBytes)
{
    /// <summary>USER_HZ: the unit of times in /proc/PID/stat, 100 on every architecture that Linux runs .NET on.</summary>
    private const double TicksPerSecond = 100;

    /// <exception cref="IOException">The process is gone.</exception>
    internal static ProcessUsage Of(int processId)
    {
        string stat = File.ReadAllText(PathOf(processId, "stat"));
        // The command's name is in parentheses and may hold anything: the fields are counted after the last one.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        // utime, stime, cutime, cstime are fields 14 to 17; the first of `fields` is number 3.
        double ticks = 0;
        for (int i = 11; i <= 14; i++)
        {
            ticks += long.Parse(fields[i], CultureInfo.InvariantCulture);
        }

        long resident = 0, peak = 0;
        foreach (string line in File.ReadLines(PathOf(processId, "status")))
        {
            if (line.StartsWith("VmRSS:", StringComparison.Ordinal))
            {
                resident = Kibibytes(line);
            }
            else if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
            {
                peak = Kibibytes(line);
            }
        }

        return new ProcessUsage(ticks / TicksPerSecond, resident, peak);
    }

    /// <summary>The peak counts from now on.</summary>
    internal static void ResetPeak(int processId) => File.WriteAllText(PathOf(processId, "clear_refs"), "5");

    private static string PathOf(int processId, string file) => $"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/{file}";

    private static long Kibibytes(string line) =>
        long.Parse(line.AsSpan(6).Trim()[..^3], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) * 1024;
}
