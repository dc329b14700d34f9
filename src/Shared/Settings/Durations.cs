using System.Globalization;

namespace Aggregator.Settings;

/// <summary>Durations as people type them: one number and one unit (`30m`).</summary>
internal static class Durations
{
    /// <summary>So that adding it to any date works.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    internal static Parsed<TimeSpan> Parse(string text)
    {
        double? unitSeconds = text is [.., var unit]
            ? unit switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => null }
            : null;
        if (unitSeconds is not { } seconds || text[..^1] is not { Length: > 0 } digits || !digits.All(char.IsAsciiDigit)
            || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number == 0)
        {
            return Parsed<TimeSpan>.Not($"must be a number and a unit (s, m, h or d), such as 30m or 1h; it is {MapReader.Shown(text)}");
        }

        double total = number * seconds;
        return total <= Longest.TotalSeconds
            ? Parsed<TimeSpan>.Of(TimeSpan.FromSeconds(total))
            : Parsed<TimeSpan>.Not($"must be at most {Longest.TotalDays:F0}d; it is {MapReader.Shown(text)}");
    }
}
