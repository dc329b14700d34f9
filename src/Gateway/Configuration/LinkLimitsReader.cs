using System.Collections.Immutable;
using System.Globalization;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>The keys of a WAN that bound its use.</summary>
internal static class LinkLimitsReader
{
    internal const int MaxWeight = 1000;
    internal const int MaxCost = 1_000_000;
    private const string QuotaExample = "{limit: 50GB, billing-day: 1, then: off}";
    private const string CapExample = "{down: 20Mbit, up: 5Mbit}";
    private const string ScheduleExample = "{days: mon-fri, from: \"08:00\", to: \"18:00\", role: off}";

    /// <summary>A line of a shell, not a program in it.</summary>
    private const int MaxCommandLength = 1000;

    private static readonly string[] DayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    internal static LinkLimits Read(MapReader wan) => new()
    {
        Weight = wan.ValueOf("weight", Weight) ?? 1,
        Cost = wan.ValueOf("cost", Cost) ?? 0,
        BackupWhenFull = wan.Value("backup-when", text => Values.OneOf(text, "gone", "full")) == "full",
        Quota = ReadQuota(wan),
        Cap = ReadCap(wan),
        Schedule = wan.Maps("schedule", ScheduleExample, ReadRule) ?? [],
        OnPortal = wan.Value("on-portal", Command),
    };

    internal static Parsed<int> Weight(string text) => Number(text, 1, MaxWeight);

    internal static Parsed<int> Cost(string text) => Number(text, 0, MaxCost);

    internal static Parsed<int> BillingDay(string text) => Number(text, 1, 31);

    internal static Parsed<LinkRole> Then(string text) => text switch
    {
        "off" => Parsed<LinkRole>.Of(LinkRole.Off),
        "backup" => Parsed<LinkRole>.Of(LinkRole.Backup),
        _ => Parsed<LinkRole>.Not(Values.OneOf(text, "off", "backup").Problem!),
    };

    internal static Parsed<QuotaPeriod> Period(string text) => text switch
    {
        "monthly" => Parsed<QuotaPeriod>.Of(QuotaPeriod.Monthly),
        "daily" => Parsed<QuotaPeriod>.Of(QuotaPeriod.Daily),
        _ => Parsed<QuotaPeriod>.Not(Values.OneOf(text, "monthly", "daily").Problem!),
    };

    internal static Parsed<QuotaCount> Count(string text) => text switch
    {
        "both" => Parsed<QuotaCount>.Of(QuotaCount.Both),
        "down" => Parsed<QuotaCount>.Of(QuotaCount.Down),
        "up" => Parsed<QuotaCount>.Of(QuotaCount.Up),
        _ => Parsed<QuotaCount>.Not(Values.OneOf(text, "both", "down", "up").Problem!),
    };

    /// <summary>`daily`, `mon-fri`, `sat`, `mon,wed,fri`; a span may run over the week's end (`fri-mon`).</summary>
    internal static Parsed<ImmutableArray<DayOfWeek>> Days(string text)
    {
        if (text == "daily")
        {
            return Parsed<ImmutableArray<DayOfWeek>>.Of([.. Enum.GetValues<DayOfWeek>()]);
        }

        var days = new SortedSet<DayOfWeek>();
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Trim().Split('-');
            int first = Array.IndexOf(DayNames, ends[0]);
            int last = Array.IndexOf(DayNames, ends[^1]);
            if (ends.Length > 2 || first < 0 || last < 0)
            {
                return Parsed<ImmutableArray<DayOfWeek>>.Not(
                    $"must be days such as mon-fri, sat,sun or daily (sun mon tue wed thu fri sat); it is {MapReader.Shown(text)}");
            }

            for (int day = first; ; day = (day + 1) % DayNames.Length)
            {
                days.Add((DayOfWeek)day);
                if (day == last)
                {
                    break;
                }
            }
        }

        return Parsed<ImmutableArray<DayOfWeek>>.Of([.. days]);
    }

    /// <summary>`08:00`; `24:00` is the day's end, which is the next one's beginning.</summary>
    internal static Parsed<TimeOnly> Time(string text)
    {
        if (text == "24:00")
        {
            return Parsed<TimeOnly>.Of(TimeOnly.MinValue);
        }

        return TimeOnly.TryParseExact(text, "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? Parsed<TimeOnly>.Of(time)
            : Parsed<TimeOnly>.Not($"must be a time of the day, such as \"08:00\"; it is {MapReader.Shown(text)}");
    }

    private static Quota? ReadQuota(MapReader wan)
    {
        if (wan.Map("quota", QuotaExample) is not { } reader)
        {
            return null;
        }

        long? limit = reader.ValueOf("limit", Quantities.Bytes);
        if (!reader.Has("limit"))
        {
            reader.Report("limit", $"is missing; a quota is written as `{QuotaExample}`");
        }

        var period = reader.ValueOf("period", Period) ?? QuotaPeriod.Monthly;
        int? day = reader.ValueOf("billing-day", BillingDay);
        if (day is not null && period == QuotaPeriod.Daily)
        {
            reader.Report("billing-day", "is of no use with `period: daily`; remove one of them");
        }

        var count = reader.ValueOf("count", Count) ?? QuotaCount.Both;
        var then = reader.ValueOf("then", Then) ?? LinkRole.Off;
        reader.Finish();
        return limit is { } bytes ? new Quota(bytes, period, day ?? 1, count, then) : null;
    }

    private static RateCap ReadCap(MapReader wan)
    {
        if (wan.Map("cap", CapExample) is not { } reader)
        {
            return RateCap.None;
        }

        var cap = new RateCap(reader.ValueOf("down", Quantities.BitsPerSecond), reader.ValueOf("up", Quantities.BitsPerSecond));
        if (!reader.Has("down") && !reader.Has("up"))
        {
            reader.Report("down", $"is missing, and so is `up`; a cap is written as `{CapExample}`");
        }

        reader.Finish();
        return cap;
    }

    private static ScheduleRule? ReadRule(MapReader reader)
    {
        var days = reader.ValueOf("days", Days);
        var from = reader.ValueOf("from", Time);
        var to = reader.ValueOf("to", Time);
        var role = reader.ValueOf("role", GatewayConfigFile.ReadRole);
        foreach (string key in (string[])["from", "to", "role"])
        {
            if (!reader.Has(key))
            {
                reader.Report(key, $"is missing; a rule is written as `{ScheduleExample}`");
            }
        }

        if (from is not { } begin || to is not { } end || role is not { } wanted || (reader.Has("days") && days is null))
        {
            return null;
        }

        return new ScheduleRule(days ?? [.. Enum.GetValues<DayOfWeek>()], begin, end, wanted);
    }

    private static Parsed<string> Command(string text) =>
        text.Length is > 0 and <= MaxCommandLength && !text.Any(char.IsControl)
            ? Parsed<string>.Of(text)
            : Parsed<string>.Not($"must be a command line of at most {MaxCommandLength} characters");

    private static Parsed<int> Number(string text, int least, int most) =>
        text.Length is > 0 and <= 9 && text.All(char.IsAsciiDigit) && int.Parse(text, CultureInfo.InvariantCulture) is var number && number >= least && number <= most
            ? Parsed<int>.Of(number)
            : Parsed<int>.Not($"must be a whole number from {least} to {most}; it is {MapReader.Shown(text)}");
}
