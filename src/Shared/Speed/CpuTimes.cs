using System.Collections.Immutable;
using System.Globalization;
using Aggregator.Health;

namespace Aggregator.Speed;

/// <summary>Processor time since the start of the host, from /proc/stat, in ticks of the kernel's.</summary>
/// <param name="Processors">Busy and all time of each processor that is there.</param>
internal sealed record CpuTimes(ImmutableArray<CpuTimes.Processor> Processors)
{
    /// <summary>proc(5), /proc/stat: user nice system idle iowait irq softirq steal, then times that are in user already.</summary>
    private const int Fields = 8;

    private const int Idle = 3;
    private const int IoWait = 4;

    internal readonly record struct Processor(ulong Busy, ulong All);

    /// <summary>Null: the file is not there or not as it should be, as in some containers.</summary>
    internal static CpuTimes? Read(HostFiles files) => files.Read("/proc/stat") is { } text ? Parse(text) : null;

    internal static CpuTimes? Parse(string text)
    {
        var processors = ImmutableArray.CreateBuilder<Processor>();
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            // `cpu0 …`; the line `cpu …` is their sum.
            if (line.Length < 5 || !line.StartsWith("cpu", StringComparison.Ordinal) || !char.IsAsciiDigit(line[3]))
            {
                continue;
            }

            string[] fields = line.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
            ulong busy = 0;
            ulong all = 0;
            for (int i = 0; i < Fields && i + 1 < fields.Length; i++)
            {
                if (!ulong.TryParse(fields[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong ticks))
                {
                    return null;
                }

                // Modulo, as the kernel's counters are: nonsense in the file is no error of ours.
                all = unchecked(all + ticks);
                busy = i is Idle or IoWait ? busy : unchecked(busy + ticks);
            }

            processors.Add(new Processor(busy, all));
        }

        return processors.Count == 0 ? null : new CpuTimes(processors.ToImmutable());
    }

    /// <summary>The busy part of all processors, and of the busiest one, between two readings; null where that cannot be told.</summary>
    internal static (double All, double Busiest)? Between(CpuTimes before, CpuTimes after)
    {
        if (before.Processors.Length != after.Processors.Length)
        {
            return null;
        }

        double busy = 0;
        double all = 0;
        double busiest = 0;
        for (int i = 0; i < after.Processors.Length; i++)
        {
            // iowait may run backwards, and steal shows up late.
            double b = Math.Max(0, (double)after.Processors[i].Busy - before.Processors[i].Busy);
            double a = Math.Max(0, (double)after.Processors[i].All - before.Processors[i].All);
            busy += b;
            all += a;
            busiest = a > 0 ? Math.Max(busiest, Math.Min(1, b / a)) : busiest;
        }

        return all > 0 ? (Math.Min(1, busy / all), busiest) : null;
    }
}
