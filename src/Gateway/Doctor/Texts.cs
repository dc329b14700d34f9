using System.Globalization;

namespace Aggregator.Gateway.Doctor;

/// <summary>Figures as findings have them.</summary>
internal static class Texts
{
    internal static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 1 } => Format(time.TotalMilliseconds, "0.# 'ms'"),
        { TotalMinutes: < 2 } => Format(time.TotalSeconds, "0.# 's'"),
        { TotalHours: < 2 } => Format(time.TotalMinutes, "0 'min'"),
        { TotalDays: < 2 } => Format(time.TotalHours, "0 'h'"),
        _ => Format(time.TotalDays, "0 'days'"),
    };

    internal static string Milliseconds(double value) => Format(value, value < 10 ? "0.0 'ms'" : "0 'ms'");

    internal static string Percent(double ratio) => Format(ratio * 100, "0.# '%'");

    /// <summary>As people buy lines: megabits a second.</summary>
    internal static string Mbps(double mbps) => Format(mbps, mbps < 10 ? "0.# 'Mbit/s'" : "0 'Mbit/s'");

    internal static string Bytes(double bytes) => bytes switch
    {
        < 1e3 => Format(bytes, "0 'B'"),
        < 1e6 => Format(bytes / 1e3, "0.# 'kB'"),
        < 1e9 => Format(bytes / 1e6, "0.# 'MB'"),
        _ => Format(bytes / 1e9, "0.# 'GB'"),
    };

    internal static string List(IEnumerable<string> items) => string.Join(", ", items);

    private static string Format(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
