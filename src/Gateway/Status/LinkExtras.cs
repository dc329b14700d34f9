using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Roles;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Status;

/// <summary>What the status tells of a link's bounds and of direct traffic.</summary>
internal sealed class LinkExtras(GatewayConfig config, LimitsBook limits, DirectCarrier direct, DirectSwitch state)
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

        if (bounds.Cap.DownBitsPerSecond is { } down)
        {
            status.CapDownMbps = down / 1e6;
        }

        if (bounds.Cap.UpBitsPerSecond is { } up)
        {
            status.CapUpMbps = up / 1e6;
        }
    }
}
