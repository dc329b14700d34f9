using System.Globalization;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Roles;

/// <summary>When a quota's periods begin, in the host's time zone. Pure.</summary>
internal static class QuotaPeriods
{
    /// <summary>The day on which the period that <paramref name="today"/> is in began.</summary>
    internal static DateOnly Since(Quota quota, DateOnly today)
    {
        if (quota.Period == QuotaPeriod.Daily)
        {
            return today;
        }

        var thisMonth = Begin(today.Year, today.Month, quota.BillingDay);
        if (thisMonth <= today)
        {
            return thisMonth;
        }

        var last = new DateOnly(today.Year, today.Month, 1).AddMonths(-1);
        return Begin(last.Year, last.Month, quota.BillingDay);
    }

    /// <summary>The day on which the next one begins.</summary>
    internal static DateOnly Until(Quota quota, DateOnly since)
    {
        if (quota.Period == QuotaPeriod.Daily)
        {
            return since.AddDays(1);
        }

        var next = new DateOnly(since.Year, since.Month, 1).AddMonths(1);
        return Begin(next.Year, next.Month, quota.BillingDay);
    }

    internal static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static DateOnly Begin(int year, int month, int billingDay) =>
        new(year, month, Math.Min(billingDay, DateTime.DaysInMonth(year, month)));
}
