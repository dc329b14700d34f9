using System.Globalization;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Aggregator.Gateway.Cli;

/// <summary>The results of tests as people read them. Draws only; what is not known is a dash.</summary>
internal static class SpeedtestTable
{
    private const string Unknown = "–";

    /// <summary>Of a file or a pipe, and of most terminals.</summary>
    private const int UsualWidth = 200;

    internal static IRenderable Draw(SpeedResult result, int width = UsualWidth)
    {
        var parts = new List<IRenderable> { Links(result).Draw(width) };
        parts.AddRange(result.Links.Where(l => l.HasError).Select(l => new Markup($"[red]{l.Name.EscapeMarkup()}[/]: {l.Error.EscapeMarkup()}")));
        if (result.Bonded is { } bonded)
        {
            if (bonded.Subflows.Count > 0)
            {
                parts.Add(Subflows($"over the {bonded.Carrier} carrier", bonded.Subflows).Draw(width));
            }

            if (bonded.MptcpSubflows.Count > 0)
            {
                parts.Add(Subflows("over one kernel MPTCP connection", bonded.MptcpSubflows).Draw(width));
            }

            if (bonded.HasError)
            {
                parts.Add(new Markup($"[red]all together[/]: {bonded.Error.EscapeMarkup()}"));
            }
        }

        if (result.HasVerdict)
        {
            parts.Add(new Markup($"[bold]{result.Verdict.EscapeMarkup()}[/]"));
        }

        return new Rows(parts);
    }

    internal static IRenderable Draw(SpeedHistoryRead history, int width = UsualWidth)
    {
        if (history.Entries.Count == 0)
        {
            return new Markup("no test was kept yet; run `speedtest`");
        }

        var parts = new List<IRenderable>();
        foreach (string link in history.Entries.SelectMany(e => e.Links).Select(l => l.Name).Distinct())
        {
            var rows = history.Entries.SelectMany(e => e.Links.Where(l => l.Name == link).Select(l => (e.Started, Link: l))).ToArray();
            var table = new Figures(
                $"{link}  down {Spark(rows, l => l.DownMbps)}  up {Spark(rows, l => l.UpMbps)}  loaded RTT {Spark(rows, Loaded)}",
                ["Test", "Down Mbit/s", "Up Mbit/s", "Idle RTT", "Loaded down", "Loaded up", "Retransmitted"]);
            foreach (var (started, l) in rows.TakeLast(20))
            {
                table.Add(started, Rate(l.DownMbps), Rate(l.UpMbps), Milliseconds(l.RttIdleMs), Milliseconds(l.RttLoadedDownMs), Milliseconds(l.RttLoadedUpMs), l.Error ?? Ratio(l.RetransmitRatio));
            }

            parts.Add(table.Draw(width));
        }

        return new Rows(parts);
    }

    private static Figures Links(SpeedResult result)
    {
        var table = new Figures(null, ["Link", "Down Mbit/s", "Up Mbit/s", "Idle RTT", "Jitter", "Loss", "Loaded down", "Loaded up", "Retransmitted", "MPTCP"]);
        foreach (SpeedLink link in result.Links)
        {
            table.Add(
                link.Name,
                Rate(link.HasDownMbps ? link.DownMbps : null),
                Rate(link.HasUpMbps ? link.UpMbps : null),
                Milliseconds(link.HasRttIdleMs ? link.RttIdleMs : null),
                Milliseconds(link.HasJitterMs ? link.JitterMs : null),
                Ratio(link.HasLossRatio ? link.LossRatio : null),
                Milliseconds(link.HasRttLoadedDownMs ? link.RttLoadedDownMs : null),
                Milliseconds(link.HasRttLoadedUpMs ? link.RttLoadedUpMs : null),
                Ratio(link.HasRetransmitRatio ? link.RetransmitRatio : null),
                link.Mptcp + (link.HasMptcpWhere ? $" ({link.MptcpWhere})" : ""));
        }

        if (result.Bonded is { } bonded)
        {
            Sum(table, "sum of the links", bonded.HasSumDownMbps ? bonded.SumDownMbps : null, bonded.HasSumUpMbps ? bonded.SumUpMbps : null, null);
            Sum(
                table,
                $"together ({bonded.Carrier})",
                bonded.HasDownMbps ? bonded.DownMbps : null,
                bonded.HasUpMbps ? bonded.UpMbps : null,
                (bonded.HasEfficiencyDown ? bonded.EfficiencyDown : null, bonded.HasEfficiencyUp ? bonded.EfficiencyUp : null));
            Sum(table, "one MPTCP connection", bonded.HasMptcpDownMbps ? bonded.MptcpDownMbps : null, bonded.HasMptcpUpMbps ? bonded.MptcpUpMbps : null, null);
        }

        return table;
    }

    private static void Sum(Figures table, string name, double? down, double? up, (double? Down, double? Up)? efficiency)
    {
        string Part(double? rate, double? ratio) => Rate(rate) + (ratio is { } r ? string.Create(CultureInfo.InvariantCulture, $" ({r * 100:0} %)") : "");
        table.Add(name, Part(down, efficiency?.Down), Part(up, efficiency?.Up));
    }

    private static Figures Subflows(string title, IEnumerable<SpeedSubflow> subflows)
    {
        var table = new Figures(title, ["Link", "Local", "Remote", "State", "Subflows", "Share down", "Share up", "RTT", "Retransmits", "cwnd"], texts: 4);
        foreach (SpeedSubflow subflow in subflows)
        {
            table.Add(
                subflow.HasLink ? subflow.Link : Unknown,
                subflow.Local,
                subflow.Remote,
                subflow.HasState ? subflow.State : Unknown,
                subflow.HasConnections ? subflow.Connections.ToString(CultureInfo.InvariantCulture) : Unknown,
                Ratio(subflow.HasShareDown ? subflow.ShareDown : null),
                Ratio(subflow.HasShareUp ? subflow.ShareUp : null),
                Milliseconds(subflow.HasRttMs ? subflow.RttMs : null),
                subflow.HasRetransmits ? subflow.Retransmits.ToString(CultureInfo.InvariantCulture) : Unknown,
                subflow.HasCwnd ? subflow.Cwnd.ToString(CultureInfo.InvariantCulture) : Unknown);
        }

        return table;
    }

    private static string Spark((string Started, SpeedHistoryLink Link)[] rows, Func<SpeedHistoryLink, double?> value)
    {
        double[] values = [.. rows.Select(r => value(r.Link)).OfType<double>()];
        return values.Length == 0 ? Unknown : SpeedtestScreen.Spark(values, values.Max());
    }

    /// <summary>The worse of both directions.</summary>
    private static double? Loaded(SpeedHistoryLink link) => link.RttLoadedDownMs > link.RttLoadedUpMs || link.RttLoadedUpMs is null ? link.RttLoadedDownMs : link.RttLoadedUpMs;

    private static string Rate(double? mbps) => mbps is { } value ? SpeedtestScreen.Rate(value) : Unknown;

    private static string Milliseconds(double? value) => value is { } ms ? ms.ToString(ms < 10 ? "0.0 'ms'" : "0 'ms'", CultureInfo.InvariantCulture) : Unknown;

    private static string Ratio(double? value) => value is { } ratio ? (ratio * 100).ToString(ratio < 0.0995 ? "0.0 '%'" : "0 '%'", CultureInfo.InvariantCulture) : Unknown;
}
