using System.Collections.Immutable;
using System.Globalization;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Roles;

/// <summary>Which rule of a schedule holds at a moment. Pure.</summary>
internal static class Schedules
{
    /// <param name="now">In the host's time zone.</param>
    /// <returns>Null: none.</returns>
    internal static ScheduleRule? At(ImmutableArray<ScheduleRule> rules, DateTime now)
    {
        var time = TimeOnly.FromDateTime(now);
        var yesterday = now.AddDays(-1).DayOfWeek;
        foreach (var rule in rules)
        {
            bool overMidnight = rule.To <= rule.From;
            bool holds = overMidnight
                ? (time >= rule.From && rule.Days.Contains(now.DayOfWeek)) || (time < rule.To && rule.Days.Contains(yesterday))
                : time >= rule.From && time < rule.To && rule.Days.Contains(now.DayOfWeek);
            if (holds)
            {
                return rule;
            }
        }

        return null;
    }

    internal static string Text(ScheduleRule rule) => string.Create(
        CultureInfo.InvariantCulture, $"its schedule: {rule.Role.ToString().ToLowerInvariant()} from {rule.From:HH\\:mm} to {rule.To:HH\\:mm}");
}
