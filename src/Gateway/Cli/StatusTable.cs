using System.Globalization;
using Aggregator.Protocol.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Aggregator.Gateway.Cli;

/// <summary>A status as people read it. Draws only; what is not known is a dash.</summary>
internal static class StatusTable
{
    private const string Unknown = "–";

    internal static IRenderable Draw(GatewayStatus status)
    {
        var rows = new List<IRenderable>
        {
            new Markup(Node(status.Node)),
            new Markup(Health(status.Vps)),
            Links(status),
            new Markup(Traffic(status)),
        };
        if (status.Trunk is { } trunk)
        {
            rows.Add(Lanes(trunk));
        }

        if (status.Direct is { Active: true })
        {
            rows.Add(new Markup($"[yellow]direct[/]: {status.Direct.FlowsActive} flows go out over the links themselves, {status.Direct.FlowsTotal} so far"));
        }

        rows.AddRange(status.Links.SelectMany(Bounds).Select(text => new Markup(text.EscapeMarkup())));
        rows.AddRange(status.Warnings.Select(w => new Markup($"[yellow]warning[/] {w.Text.EscapeMarkup()} [grey]({w.Code.EscapeMarkup()})[/]")));
        return new Rows(rows);
    }

    private static string Node(NodeStatus node)
    {
        string colour = node.State switch { "connected" => "green", "connecting" => "yellow", _ => "red" };
        string text = $"VPS [bold]{(node.HasAddress ? node.Address : Unknown).EscapeMarkup()}[/] is [{colour}]{node.State.EscapeMarkup()}[/]";
        if (node.HasRttMs)
        {
            text += $", {Milliseconds(node.RttMs)} away";
        }

        if (node.HasVersion)
        {
            text += $", version {node.Version.EscapeMarkup()}";
        }

        return node.HasReason ? $"{text}: {node.Reason.EscapeMarkup()}" : text;
    }

    /// <summary>The level with what it comes from; the findings' texts and remedies are among the warnings.</summary>
    private static string Health(VpsHealth? health)
    {
        if (health is null)
        {
            return $"VPS health [grey]{Unknown}[/]";
        }

        string colour = health.Level switch { "ok" => "green", "critical" => "red", _ => "yellow" };
        string text = $"VPS health [{colour}]{health.Level.EscapeMarkup()}[/]";
        if (health.Findings.Count > 0)
        {
            text += $" ({string.Join(", ", health.Findings.Select(f => f.Code)).EscapeMarkup()})";
        }

        text += $": {(health.Memory.HasAvailableBytes ? Bytes(health.Memory.AvailableBytes) : Unknown)} of "
            + $"{(health.Memory.HasTotalBytes ? Bytes(health.Memory.TotalBytes) : Unknown)} memory available";
        if (health.Swap is { HasTotalBytes: true, TotalBytes: > 0 } swap)
        {
            text += $", {(swap.HasUsedBytes ? Bytes(swap.UsedBytes) : Unknown)} swapped out";
        }

        return health.HasLoad1 ? text + string.Create(CultureInfo.InvariantCulture, $", load {health.Load1:0.0}") : text;
    }

    private static Table Links(GatewayStatus status)
    {
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumns("Link", "Interface", "Role", "State", "Address", "Gateway");
        foreach (string numeric in new[] { "RTT", "Loss", "Received", "Sent" })
        {
            table.AddColumn(new TableColumn(numeric).RightAligned());
        }

        table.AddColumns("MPTCP", "Subflows");
        foreach (LinkStatus link in status.Links)
        {
            string colour = link.State switch { "up" => "green", "degraded" => "yellow", _ => "red" };
            string state = $"[{colour}]{link.State.EscapeMarkup()}[/]" + (link.HasReason ? $" ({link.Reason.EscapeMarkup()})" : "");
            table.AddRow(
                link.Name.EscapeMarkup(),
                link.Interface.EscapeMarkup(),
                link.Role.EscapeMarkup(),
                state,
                (link.HasAddress ? link.Address : Unknown).EscapeMarkup(),
                (link.HasGateway ? link.Gateway : Unknown).EscapeMarkup(),
                link.HasRttMs ? Milliseconds(link.RttMs) : Unknown,
                link.HasLossRatio ? link.LossRatio.ToString("P1", CultureInfo.InvariantCulture) : Unknown,
                link.HasRxBytes ? Bytes(link.RxBytes) : Unknown,
                link.HasTxBytes ? Bytes(link.TxBytes) : Unknown,
                link.Mptcp.EscapeMarkup(),
                link.HasSubflows ? link.Subflows.ToString(CultureInfo.InvariantCulture) : Unknown);
        }

        if (status.Links.Count == 0)
        {
            table.Caption = new TableTitle("no link: no interface with a default route was found, and `wans` names none");
        }

        return table;
    }

    /// <summary>What bounds a link or makes it something else than what was asked for.</summary>
    private static IEnumerable<string> Bounds(LinkStatus link)
    {
        if (link.HasRoleReason)
        {
            yield return $"{link.Name} is {link.Role}, not {link.ConfiguredRole}: {link.RoleReason}";
        }

        if (link.Quota is { } quota)
        {
            yield return $"{link.Name}: {Bytes(quota.UsedBytes)} of {Bytes(quota.LimitBytes)} used since {quota.Since}, {quota.Period}, then {quota.Then}";
        }

        if (link.HasCapDownMbps || link.HasCapUpMbps)
        {
            yield return $"{link.Name}: at most {(link.HasCapDownMbps ? Rate(link.CapDownMbps) : Unknown)} down, {(link.HasCapUpMbps ? Rate(link.CapUpMbps) : Unknown)} up";
        }

        if (link.Wifi is { } wifi)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{link.Name}: Wi-Fi {(wifi.HasSignalDbm ? $"{wifi.SignalDbm:0} dBm" : Unknown)}, {(wifi.HasRateDownMbps ? Rate(wifi.RateDownMbps) : Unknown)} down, {(wifi.HasRateUpMbps ? Rate(wifi.RateUpMbps) : Unknown)} up");
        }
    }

    /// <summary>What each link's lane does at this moment.</summary>
    private static Table Lanes(TrunkStatus trunk)
    {
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumns("Lane", "State", "MPTCP");
        foreach (string numeric in new[] { "RTT", "Rate up", "Down", "Up", "Share up", "Queued", "In flight", "Sent again", "Backups" })
        {
            table.AddColumn(new TableColumn(numeric).RightAligned());
        }

        foreach (TrunkLaneStatus lane in trunk.Lanes)
        {
            string colour = lane.State switch { "carrying" => "green", "standby" or "dialing" => "yellow", _ => "red" };
            table.AddRow(
                lane.Link.EscapeMarkup(),
                $"[{colour}]{lane.State.EscapeMarkup()}[/]" + (lane.HasReason ? $" ({lane.Reason.EscapeMarkup()})" : ""),
                (lane.HasMptcp ? lane.Mptcp : Unknown).EscapeMarkup(),
                lane.HasRttMs ? Milliseconds(lane.RttMs) : Unknown,
                lane.HasRateMbps ? Rate(lane.RateMbps) : Unknown,
                lane.HasReceivedMbps ? Rate(lane.ReceivedMbps) : Unknown,
                lane.HasSentMbps ? Rate(lane.SentMbps) : Unknown,
                lane.HasShare ? lane.Share.ToString("P0", CultureInfo.InvariantCulture) : Unknown,
                lane.HasQueueBytes ? Bytes(lane.QueueBytes) : Unknown,
                lane.HasInFlightBytes ? Bytes(lane.InFlightBytes) : Unknown,
                lane.HasResentBytes ? Bytes(lane.ResentBytes) : Unknown,
                lane.HasBackups ? lane.Backups.ToString(CultureInfo.InvariantCulture) : Unknown);
        }

        return table;
    }

    private static string Rate(double mbps) => mbps.ToString(mbps < 10 ? "0.0 'Mbit/s'" : "0 'Mbit/s'", CultureInfo.InvariantCulture);

    private static string Traffic(GatewayStatus status)
    {
        string text = $"{status.Flows.Active} flows now, {status.Flows.Total} so far, {status.Flows.Failed} failed; carrier {status.Carrier.EscapeMarkup()}";
        return status.Pool is { } pool ? $"{text}, {pool.Ready} connections ready" : text;
    }

    private static string Milliseconds(double value) => value.ToString(value < 10 ? "0.0 'ms'" : "0 'ms'", CultureInfo.InvariantCulture);

    private static string Bytes(ulong bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        double value = bytes;
        int unit = 0;
        while (value >= 999.5 && unit < units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return value.ToString(unit == 0 || value >= 99.5 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
