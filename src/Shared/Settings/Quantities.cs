using System.Globalization;

namespace Aggregator.Settings;

/// <summary>Amounts and rates as people type them: a number and a unit, decimal (50MB, 1.5GB, 20Mbit) or, for bytes, binary (512MiB).</summary>
internal static class Quantities
{
    /// <summary>More than any line moves in a month, and far from overflowing a sum.</summary>
    private const double MostBytes = 1e16;

    /// <summary>10 Tbit/s.</summary>
    private const double MostBitsPerSecond = 1e13;

    /// <summary>Below, no connection would be made in a time that anybody waits.</summary>
    private const double LeastBitsPerSecond = 8_000;

    private static readonly (string Name, double Factor)[] ByteUnits =
        [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1L << 40)];

    private static readonly (string Name, double Factor)[] RateUnits =
        [("kbit", 1e3), ("Mbit", 1e6), ("Gbit", 1e9), ("kbps", 1e3), ("Mbps", 1e6), ("Gbps", 1e9)];

    /// <summary>An amount of bytes.</summary>
    internal static Parsed<long> Bytes(string text)
    {
        const string Right = "must be a number and a unit (kB, MB, GB, TB, or KiB, MiB, GiB, TiB), such as 50GB";
        return Read(text, ByteUnits) switch
        {
            null => Parsed<long>.Not($"{Right}; it is {MapReader.Shown(text)}"),
            >= 1 and <= MostBytes and var bytes => Parsed<long>.Of((long)Math.Round(bytes)),
            _ => Parsed<long>.Not($"must be more than nothing and at most 10000TB; it is {MapReader.Shown(text)}"),
        };
    }

    /// <summary>Bits a second.</summary>
    internal static Parsed<long> BitsPerSecond(string text)
    {
        const string Right = "must be a number and a unit (kbit, Mbit or Gbit, a second), such as 20Mbit";
        return Read(text, RateUnits) switch
        {
            null => Parsed<long>.Not($"{Right}; it is {MapReader.Shown(text)}"),
            >= LeastBitsPerSecond and <= MostBitsPerSecond and var bits => Parsed<long>.Of((long)Math.Round(bits)),
            _ => Parsed<long>.Not($"must be from 8kbit to 10000Gbit; it is {MapReader.Shown(text)}"),
        };
    }

    /// <summary>The spelling that <see cref="Bytes"/> reads back to the same number.</summary>
    internal static string BytesText(long bytes) => Text(bytes, [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)]);

    /// <summary>The spelling that <see cref="BitsPerSecond"/> reads back to the same number.</summary>
    internal static string RateText(long bitsPerSecond) => Text(bitsPerSecond, [("Gbit", 1_000_000_000), ("Mbit", 1_000_000), ("kbit", 1000)]);

    private static double? Read(string text, (string Name, double Factor)[] units)
    {
        foreach (var (name, factor) in units)
        {
            if (text.EndsWith(name, StringComparison.OrdinalIgnoreCase)
                && text[..^name.Length].TrimEnd(' ') is { Length: > 0 and <= 20 } digits
                && digits.All(c => char.IsAsciiDigit(c) || c == '.')
                && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
            {
                return number * factor;
            }
        }

        return null;
    }

    private static string Text(long value, (string Name, long Factor)[] units)
    {
        var (name, factor) = units.FirstOrDefault(u => value >= u.Factor, units[^1]);
        return ((decimal)value / factor).ToString("0.############", CultureInfo.InvariantCulture) + name;
    }
}
