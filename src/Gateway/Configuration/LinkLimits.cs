using System.Collections.Immutable;

namespace Aggregator.Gateway.Configuration;

/// <summary>What bounds or shapes the use of one WAN. As in the configuration, or as `link NAME …` changed it since.</summary>
internal sealed record LinkLimits
{
    internal static LinkLimits None { get; } = new();

    /// <summary>Its part of new direct connections, in proportion to the others'.</summary>
    internal int Weight { get; init; } = 1;

    /// <summary>Of the active links only the cheapest carry; the others are backups. Any unit: it is only compared.</summary>
    internal int Cost { get; init; }

    /// <summary>A backup carries also while the active links are full, not only when they are gone.</summary>
    internal bool BackupWhenFull { get; init; }

    /// <summary>Null: no limit.</summary>
    internal Quota? Quota { get; init; }

    internal RateCap Cap { get; init; } = RateCap.None;

    /// <summary>The first rule that holds at a moment decides; where none does, the role that was asked for.</summary>
    internal ImmutableArray<ScheduleRule> Schedule { get; init; } = [];

    /// <summary>Run with /bin/sh when a captive portal is met, so that its requests leave by this WAN. Null: nothing.</summary>
    internal string? OnPortal { get; init; }
}

internal enum QuotaPeriod
{
    Monthly,
    Daily,
}

/// <summary>Which bytes a provider counts.</summary>
internal enum QuotaCount
{
    Both,
    Down,
    Up,
}

/// <param name="LimitBytes">In a period, as the kernel counts the interface's bytes.</param>
/// <param name="BillingDay">On which a month begins, 1 to 31; in a shorter month its last day.</param>
/// <param name="Then">What the link is used as when it is exceeded: backup or off.</param>
internal sealed record Quota(long LimitBytes, QuotaPeriod Period = QuotaPeriod.Monthly, int BillingDay = 1, QuotaCount Count = QuotaCount.Both, LinkRole Then = LinkRole.Off);

/// <summary>What a WAN may carry at most. Null: as much as it can.</summary>
internal sealed record RateCap(long? DownBitsPerSecond = null, long? UpBitsPerSecond = null)
{
    internal static RateCap None { get; } = new();

    internal bool IsNone => this == None;
}

/// <summary>A role for some hours of the week, in the host's time zone.</summary>
/// <param name="Days">On which it begins.</param>
/// <param name="From">Inclusive.</param>
/// <param name="To">Exclusive; not later than <paramref name="From"/>: on the next day.</param>
internal sealed record ScheduleRule(ImmutableArray<DayOfWeek> Days, TimeOnly From, TimeOnly To, LinkRole Role);
