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

    internal IRenderable Draw()
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = false };
        table.AddColumns("link", "phase", "bar", "rate", "spark", "rtt");
        double top = Math.Max(1, _rows.Values.Max(r => (double?)r.Peak) ?? 1);
        foreach (string name in _order)
        {
            Row row = _rows[name];
            table.AddRow(
                new Markup($"[bold]{name.EscapeMarkup()}[/]"),
                new Markup($"[grey]{row.Phase.EscapeMarkup()}[/]"),
                new Markup($"[green]{Bar(row.Now ?? 0, top)}[/]"),
                new Markup(row.Now is { } rate ? $"{Rate(rate)} Mbit/s" : "").RightJustified(),
                new Markup($"[blue]{Spark(row.Rates, row.Peak)}[/]"),
                new Markup(row.RttMs is { } rtt ? $"[grey]{rtt.ToString("0", CultureInfo.InvariantCulture)} ms[/]" : ""));
        }

        return new Rows(table, new Markup($"[grey]{_done.ToString("P0", CultureInfo.InvariantCulture)}[/] {Bar(_done, 1)}"));
    }

    /// <summary>The latest values as eighths of a character's height.</summary>
    internal static string Spark(IReadOnlyList<double> values, double top)
    {
        const string Heights = "▁▂▃▄▅▆▇█";
        return string.Concat(values.TakeLast(SparkWidth).Select(v => Heights[Math.Clamp((int)(v / Math.Max(top, 1e-9) * Heights.Length), 0, Heights.Length - 1)]));
    }

    private static string Bar(double value, double top)
    {
        int filled = (int)Math.Round(Math.Clamp(value / top, 0, 1) * BarWidth);
        return new string('━', filled) + new string('─', BarWidth - filled);
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
