using Aggregator.Gateway.Configuration;
using Aggregator.Settings;

namespace Aggregator.Gateway.Roles;

/// <summary>The settings of a link that can be changed while the daemon runs, each with its text. `none` takes a bound away.</summary>
internal static class LinkSetting
{
    internal const string None = "none";

    internal static readonly string[] Keys =
        ["weight", "cost", "backup-when", "quota", "quota-period", "billing-day", "quota-count", "quota-then", "cap-down", "cap-up"];

    /// <summary>The bounds with one setting changed, or what is wrong with its text.</summary>
    internal static Parsed<LinkLimits> Apply(LinkLimits limits, string key, string text)
    {
        switch (key)
        {
            case "weight":
                return With(LinkLimitsReader.Weight(text), v => limits with { Weight = v });
            case "cost":
                return With(LinkLimitsReader.Cost(text), v => limits with { Cost = v });
            case "backup-when":
                return With(Values.OneOf(text, "gone", "full"), v => limits with { BackupWhenFull = v == "full" });
            case "quota" when text == None:
                return Parsed<LinkLimits>.Of(limits with { Quota = null });
            case "quota":
                return With(Quantities.Bytes(text), v => limits with { Quota = limits.Quota is { } had ? had with { LimitBytes = v } : new Quota(v) });
            case "quota-period":
                return WithQuota(LinkLimitsReader.Period(text), (quota, v) => quota with { Period = v });
            case "billing-day":
                return WithQuota(LinkLimitsReader.BillingDay(text), (quota, v) => quota with { BillingDay = v });
            case "quota-count":
                return WithQuota(LinkLimitsReader.Count(text), (quota, v) => quota with { Count = v });
            case "quota-then":
                return WithQuota(LinkLimitsReader.Then(text), (quota, v) => quota with { Then = v });
            case "cap-down" when text == None:
                return Parsed<LinkLimits>.Of(limits with { Cap = limits.Cap with { DownBitsPerSecond = null } });
            case "cap-down":
                return With(Quantities.BitsPerSecond(text), v => limits with { Cap = limits.Cap with { DownBitsPerSecond = v } });
            case "cap-up" when text == None:
                return Parsed<LinkLimits>.Of(limits with { Cap = limits.Cap with { UpBitsPerSecond = null } });
            case "cap-up":
                return With(Quantities.BitsPerSecond(text), v => limits with { Cap = limits.Cap with { UpBitsPerSecond = v } });
            default:
                return Parsed<LinkLimits>.Not($"no setting is called `{key}`; there are {string.Join(", ", Keys)}");
        }

        static Parsed<LinkLimits> With<T>(Parsed<T> value, Func<T, LinkLimits> change) =>
            value.Problem is { } problem ? Parsed<LinkLimits>.Not(problem) : Parsed<LinkLimits>.Of(change(value.Value!));

        Parsed<LinkLimits> WithQuota<T>(Parsed<T> value, Func<Quota, T, Quota> change) =>
            limits.Quota is { } quota ? With(value, v => limits with { Quota = change(quota, v) }) : Parsed<LinkLimits>.Not("there is no quota; give its limit (`--quota 50GB`)");
    }
}
