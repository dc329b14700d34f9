namespace Aggregator.Health;

/// <summary>Pressure stall information (Documentation/accounting/psi.rst): percent of the last ten seconds in which some task, or all, waited.</summary>
internal readonly record struct PressureFigures(double? SomeAvg10, double? FullAvg10)
{
    internal static PressureFigures Parse(string? text) => new(Average(text, "some"), Average(text, "full"));

    private static double? Average(string? text, ReadOnlySpan<char> kind)
    {
        const string Name = "avg10=";
        foreach (var line in (text ?? "").AsSpan().EnumerateLines())
        {
            if (ProcText.Field(line, 0).SequenceEqual(kind)
                && ProcText.Field(line, 1) is var field
                && field.StartsWith(Name, StringComparison.Ordinal))
            {
                return ProcText.Fraction(field[Name.Length..]) is <= 100 and var percent ? percent : null;
            }
        }

        return null;
    }
}

/// <summary>Processor time of the whole host since the boot, in ticks, and how many processors there are (/proc/stat).</summary>
/// <param name="StealTicks">Wanted and given to other guests by the host of this virtual machine.</param>
internal readonly record struct CpuFigures(int? Cpus, long? TotalTicks, long? StealTicks)
{
    private const int StealField = 8;

    internal static CpuFigures Parse(string? stat)
    {
        long? total = null, steal = null;
        int cpus = 0;
        foreach (var line in (stat ?? "").AsSpan().EnumerateLines())
        {
            var name = ProcText.Field(line, 0);
            if (name is "cpu")
            {
                // user nice system idle iowait irq softirq steal; guest times are parts of user and nice.
                total = 0;
                for (int i = 1; i <= StealField; i++)
                {
                    long? ticks = ProcText.Number(ProcText.Field(line, i));
                    total = ticks <= long.MaxValue - total ? total + ticks : null;
                    steal = i == StealField ? ticks : null;
                }
            }
            else if (name.StartsWith("cpu") && ProcText.Number(name[3..]) is not null)
            {
                cpus++;
            }
        }

        return new CpuFigures(cpus > 0 ? cpus : null, total, steal);
    }
}

/// <summary>What TCP holds in buffers, in pages (/proc/net/sockstat), and its marks (tcp_mem: low, pressure, high; tcp(7)).</summary>
/// <param name="PressurePages">Null inside a network namespace: tcp_mem is the host's.</param>
internal readonly record struct TcpMemoryFigures(long? UsedPages, long? PressurePages, long? MaxPages)
{
    internal static TcpMemoryFigures Parse(string? sockstat, string? tcpMem)
    {
        var marks = ProcText.FirstLine(tcpMem);
        return new TcpMemoryFigures(Used(sockstat), ProcText.Number(ProcText.Field(marks, 1)), ProcText.Number(ProcText.Field(marks, 2)));
    }

    private static long? Used(string? sockstat)
    {
        foreach (var line in (sockstat ?? "").AsSpan().EnumerateLines())
        {
            // TCP: inuse 15 orphan 0 tw 0 alloc 18 mem 3
            if (ProcText.Field(line, 0) is "TCP:")
            {
                for (int i = 1; !ProcText.Field(line, i).IsEmpty; i += 2)
                {
                    if (ProcText.Field(line, i) is "mem")
                    {
                        return ProcText.Number(ProcText.Field(line, i + 1));
                    }
                }
            }
        }

        return null;
    }
}

/// <summary>How much of something bounded is in use.</summary>
internal readonly record struct UsageFigures(long? Used, long? Max)
{
    /// <summary>0 to 1 and, where a limit was lowered below what is in use, above; null where either is not known.</summary>
    internal double? Ratio => Used is { } used && Max is > 0 and var max ? (double)used / max : null;

    /// <summary>/proc/sys/fs/file-nr: allocated, free (always 0 since 2.6), maximum.</summary>
    internal static UsageFigures ParseFileNr(string? text)
    {
        var line = ProcText.FirstLine(text);
        return new UsageFigures(ProcText.Number(ProcText.Field(line, 0)), ProcText.Number(ProcText.Field(line, 2)));
    }
}
