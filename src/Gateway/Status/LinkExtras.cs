using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Roles;
using Aggregator.Netlink;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Status;

/// <summary>What the status tells of a link's bounds and of direct traffic.</summary>
internal sealed class LinkExtras(GatewayConfig config, LimitsBook limits, QuotaMeter quotas, WifiWatch wifi, DirectCarrier direct, DirectSwitch state)
{
    internal DirectStatus Direct()
    {
        var status = new DirectStatus
        {
            Active = state.State.IsDirect,
            Fallback = config.Direct.IsFallback ? "direct" : "block",
            FlowsActive = (ulong)direct.Active,
            FlowsTotal = (ulong)direct.Total,
        };
        if (state.State.Reason is { } reason)
        {
            status.Reason = reason;
        }

        return status;
    }

    internal void AddTo(LinkStatus status, Link link)
    {
        var bounds = limits.Of(link.Name);
        status.ConfiguredRole = link.AskedRole.ToString().ToLowerInvariant();
        status.Weight = (uint)bounds.Weight;
        status.Cost = (uint)bounds.Cost;
        if (link.RoleReason is { } why)
        {
            status.RoleReason = why;
        }

        if (quotas.Current.GetValueOrDefault(link.Name) is { } quota)
        {
            status.Quota = Of(quota);
        }

        if (wifi.Current.GetValueOrDefault(link.Name) is { } station)
        {
            status.Wifi = Of(station);
        }

        if (bounds.Cap.DownBitsPerSecond is { } down)
        {
            status.CapDownMbps = down / 1e6;
        }

        if (bounds.Cap.UpBitsPerSecond is { } up)
        {
            status.CapUpMbps = up / 1e6;
        }
    }

    /// <summary>What deserves attention of a link's quota; null: nothing.</summary>
    internal Warning? QuotaWarning(Link link)
    {
        if (quotas.Current.GetValueOrDefault(link.Name) is not { } quota)
        {
            return null;
        }

        string text = $"{link.Name}: {QuotaGauge.Text(quota.Quota, quota.UsedBytes, quota.Until)}";
        return quota.Exceeded ? new Warning { Code = "quota-exceeded", Text = $"{text}; it is {quota.Quota.Then.ToString().ToLowerInvariant()} until then" }
            : QuotaGauge.Mark(quota.Quota, quota.UsedBytes) is > 0 and var mark ? new Warning { Code = $"quota-{mark}", Text = text }
            : null;
    }

    private static WifiStatus Of(WifiStation station)
    {
        var status = new WifiStatus();
        if (station.SignalDbm is { } dbm)
        {
            status.SignalDbm = dbm;
        }

        if (station.RxMbps is { } down)
        {
            status.RateDownMbps = down;
        }

        if (station.TxMbps is { } up)
        {
            status.RateUpMbps = up;
        }

        return status;
    }

    private static QuotaStatus Of(QuotaReading reading)
    {
        var status = new QuotaStatus
        {
            LimitBytes = (ulong)reading.Quota.LimitBytes,
            UsedBytes = (ulong)reading.UsedBytes,
            Period = reading.Quota.Period.ToString().ToLowerInvariant(),
            Since = QuotaPeriods.Text(reading.Since),
            Until = QuotaPeriods.Text(reading.Until),
            Count = reading.Quota.Count.ToString().ToLowerInvariant(),
            Then = reading.Quota.Then.ToString().ToLowerInvariant(),
            Exceeded = reading.Exceeded,
        };
        if (reading.Quota.Period == QuotaPeriod.Monthly)
        {
            status.BillingDay = (uint)reading.Quota.BillingDay;
        }

        return status;
    }
}
