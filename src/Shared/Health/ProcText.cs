using System.Globalization;

namespace Aggregator.Health;

/// <summary>The few forms that values have in /proc. What has another form is not known (null), never 0.</summary>
internal static class ProcText
{
    /// <summary>A count: digits alone. A sign, a point, a word or more than a long holds is null.</summary>
    internal static long? Number(ReadOnlySpan<char> text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : null;

    /// <summary>A whole file that is one count.</summary>
    internal static long? OnlyNumber(string? text) => text is null ? null : Number(text.AsSpan().Trim());

    /// <summary>Digits with a point; not negative, not infinite.</summary>
    internal static double? Fraction(ReadOnlySpan<char> text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : null;

    /// <summary>The field with this number, counted from 0, of fields separated by blanks; empty: there is none.</summary>
    internal static ReadOnlySpan<char> Field(ReadOnlySpan<char> line, int index)
    {
        while (true)
        {
            line = line.TrimStart(" \t");
            int end = line.IndexOfAny(' ', '\t');
            if (index-- == 0)
            {
                return end < 0 ? line : line[..end];
            }

            if (end < 0)
            {
                return default;
            }

            line = line[end..];
        }
    }

    /// <summary>The count behind `name` at the start of a line (`pswpin 12`, `MemTotal:   12 kB`); null: no such line, or no count there.</summary>
    internal static long? Value(string? text, ReadOnlySpan<char> name)
    {
        foreach (var line in (text ?? "").AsSpan().EnumerateLines())
        {
            if (Field(line, 0).SequenceEqual(name))
            {
                return Number(Field(line, 1));
            }
        }

        return null;
    }

    /// <summary>As <see cref="Value"/>, of a line that ends in `kB` (which are KiB). A line without the unit was cut off.</summary>
    internal static long? KibibytesAsBytes(string? text, ReadOnlySpan<char> name)
    {
        foreach (var line in (text ?? "").AsSpan().EnumerateLines())
        {
            if (Field(line, 0).SequenceEqual(name))
            {
                return Field(line, 2) is "kB" && Number(Field(line, 1)) is { } kibibytes and <= long.MaxValue / 1024 ? kibibytes * 1024 : null;
            }
        }

        return null;
    }

    internal static ReadOnlySpan<char> FirstLine(string? text)
    {
        var lines = (text ?? "").AsSpan().EnumerateLines();
        return lines.MoveNext() ? lines.Current : default;
    }
}
