using System.Globalization;
using Aggregator.Protocol.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Aggregator.Gateway.Cli;

/// <summary>A test under way: a bar and a sparkline a link. Draws only.</summary>
internal sealed class SpeedtestScreen
{
    private const int BarWidth = 24;

    private const int SparkWidth = 32;

    /// <summary>Less than this shows nothing.</summary>
    private const int LeastWidth = 4;

    /// <summary>`193.0 Mbit/s`, `1234 ms`, `loaded-down`, and a blank at either side of each of six cells.</summary>
    private const int RateWidth = 12, RttWidth = 7, PhaseWidth = 11, Blanks = 12;

    /// <summary>A longer name is cut where the terminal is narrow.</summary>
    private const int ShortName = 10;

    /// <summary>From here on all of it has room.</summary>
    private const int Roomy = 110;

    /// <summary>Rows for all links together: their phases have no link.</summary>
    private const string Together = "together";

    private readonly Dictionary<string, Row> _rows = [];
    private readonly List<string> _order = [];
    private double _done;

    internal void Take(SpeedProgress progress)
    {
        foreach (string link in progress.Links)
        {
            RowOf(link);
        }

        if (progress.Links.Count > 0)
        {
            return;
        }

        _done = Math.Max(_done, progress.DoneRatio);
        Row row = RowOf(progress.Link.Length == 0 ? Together : progress.Link);
        row.Phase = progress.Phase;
        if (progress.HasMbps)
        {
            row.Add(progress.Mbps);
        }
        else
        {
            row.Now = null;
        }

        row.RttMs = progress.HasRttMs ? progress.RttMs : row.RttMs;
    }

    /// <param name="width">Columns of the terminal: no line is longer, or each new picture would leave a part of the last one.</param>
    internal IRenderable Draw(int width = Roomy)
    {
        string[] names = [.. _order.Select(n => width < Roomy && n.Length > ShortName ? n[..(ShortName - 1)] + "…" : n)];
        int free = width - Blanks - RateWidth - RttWidth - names.Select(n => n.Length).DefaultIfEmpty(0).Max();
        bool hasPhase = free - PhaseWidth >= 2 * LeastWidth;
        free -= hasPhase ? PhaseWidth : 0;
        int bar = Math.Clamp(free * 3 / 7, LeastWidth, BarWidth);
        int spark = Math.Clamp(free - bar, LeastWidth, SparkWidth);

        var table = new Table { Border = TableBorder.None, ShowHeaders = false };
        table.AddColumns([.. (hasPhase ? (string[])["link", "phase", "bar", "rate", "spark", "rtt"] : ["link", "bar", "rate", "spark", "rtt"]).Select(n => new TableColumn(n) { NoWrap = true })]);
        double top = Math.Max(1, _rows.Values.Max(r => (double?)r.Peak) ?? 1);
        foreach (var (name, shown) in _order.Zip(names))
        {
            Row row = _rows[name];
            List<IRenderable> cells =
            [
                new Markup($"[bold]{shown.EscapeMarkup()}[/]"),
                new Markup($"[grey]{row.Phase.EscapeMarkup()}[/]"),
                new Markup($"[green]{Bar(row.Now ?? 0, top, bar)}[/]"),
                new Markup(row.Now is { } rate ? $"{Rate(rate)} Mbit/s" : "").RightJustified(),
                new Markup($"[blue]{Spark(row.Rates, row.Peak, spark)}[/]"),
                new Markup(row.RttMs is { } rtt ? $"[grey]{rtt.ToString("0", CultureInfo.InvariantCulture)} ms[/]" : ""),
            ];
            if (!hasPhase)
            {
                cells.RemoveAt(1);
            }

            table.AddRow(cells);
        }

        return new Rows(table, new Markup($"[grey]{_done.ToString("P0", CultureInfo.InvariantCulture)}[/] {Bar(_done, 1, bar)}"));
    }

    /// <summary>The latest values as eighths of a character's height.</summary>
    internal static string Spark(IReadOnlyList<double> values, double top, int width = SparkWidth)
    {
        const string Heights = "▁▂▃▄▅▆▇█";
        return string.Concat(values.TakeLast(width).Select(v => Heights[Math.Clamp((int)(v / Math.Max(top, 1e-9) * Heights.Length), 0, Heights.Length - 1)]));
    }

    private static string Bar(double value, double top, int width)
    {
        int filled = (int)Math.Round(Math.Clamp(value / top, 0, 1) * width);
        return new string('━', filled) + new string('─', width - filled);
    }

    internal static string Rate(double mbps) => mbps.ToString(mbps < 99.95 ? "0.0" : "0", CultureInfo.InvariantCulture);

    private Row RowOf(string name)
    {
        if (!_rows.TryGetValue(name, out Row? row))
        {
            _rows[name] = row = new Row();
            _order.Add(name);
        }

        return row;
    }

    private sealed class Row
    {
        /// <summary>A test of a link has some hundred; the screen shows the last.</summary>
        private const int Kept = 256;

        internal List<double> Rates { get; } = [];

        internal string Phase { get; set; } = "waiting";

        internal double? Now { get; set; }

        internal double? RttMs { get; set; }

        internal double Peak { get; private set; }

        internal void Add(double rate)
        {
            Now = rate;
            Peak = Math.Max(Peak, rate);
            Rates.Add(rate);
            if (Rates.Count > Kept)
            {
                Rates.RemoveAt(0);
            }
        }
    }
}
