using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios.Packets;
using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Product;
using Spectre.Console;

namespace Aggregator.Benchmarks.Cli;

/// <summary>`packets`: a LAN's IP packets over the VPS, against wireguard-go and openvpn in the same run.</summary>
internal static class PacketsCommand
{
    /// <summary>The tunnels beside each other.</summary>
    private const string Unshaped = "unshaped";

    private const string Small = "small";

    private static readonly TrunkRow[] Rows = [LoadedRows.Sum, LoadedRows.Call, DuplicateRow.Row, ChangeRow.Row, DtlsRow.Row, CaptureRow.Row];

    internal static Command Create()
    {
        var rows = new Option<string[]>("--rows")
        {
            DefaultValueFactory = _ => [Unshaped],
            Description = $"{Unshaped}: the tunnels beside each other; {Small}: the same, 64 B UDP alone; " + string.Join("; ", Rows.Select(r => $"{r.Key}: {r.Description}")),
            AllowMultipleArgumentsPerToken = true,
        };
        rows.AcceptOnlyFromAmong([Unshaped, Small, .. Rows.Select(r => r.Key)]);
        var factor = new Option<double>("--factor") { DefaultValueFactory = _ => 1, Description = "lengths of the other rows; 0.5 is a short look" };
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 5, Description = "of each measurement" };
        var who = new Option<string?>("--who") { Description = "only tunnels with this in their names" };
        var json = new Option<bool>("--json") { Description = "the figures as JSON on standard output" };
        var command = new Command("packets", "IP packets of a LAN, without shaping: TCP up and down, small UDP; ratios against wireguard-go and openvpn. Other rows: over shaped lines.") { rows, factor, seconds, who, json };
        var product = new ProductOptions(command, "trunk");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string[] chosen = parsed.GetValue(rows)!;
            bool held = await RunRowsAsync([.. Rows.Where(r => chosen.Contains(r.Key))], product.Of(parsed), parsed.GetValue(factor), cancellationToken);
            if (!chosen.Contains(Unshaped) && !chosen.Contains(Small))
            {
                return held ? 0 : 1;
            }

            var figures = await PacketsScenario.RunAsync(product.Of(parsed), parsed.GetValue(seconds), chosen.Contains(Unshaped), parsed.GetValue(who), Console.Error.WriteLine, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(figures, Generator.Json));
            }
            else
            {
                Write(Consoles.Wide(), figures);
            }

            return held && figures.All(f => f.Problem is null) ? 0 : 1;
        });
        return command;
    }

    private static async Task<bool> RunRowsAsync(TrunkRow[] rows, ProductSettings settings, double factor, CancellationToken cancellationToken)
    {
        if (rows.Length == 0)
        {
            return true;
        }

        Programs.Require(rows.SelectMany(r => r.Programs));
        var options = new TrunkOptions(settings, factor, 0, 0, TimeSpan.Zero, Console.Error.WriteLine);
        var figures = new List<TrunkFigure>();
        foreach (TrunkRow row in rows)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                Add(await row.RunAsync(options, cancellationToken));
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                Add([new TrunkFigure(row.Key, row.Description, e.Message.Split('\n')[0], "to be measured", false)]);
            }
        }

        void Add(IReadOnlyList<TrunkFigure> measured)
        {
            // At once: what ends a later row does not take this one with it.
            figures.AddRange(measured);
            FigureTable.Write("Packets, shaped", measured);
        }

        return figures.All(f => f.Held is not false);
    }

    private static void Write(IAnsiConsole console, IReadOnlyList<TunnelFigures> figures)
    {
        var ours = figures[0];
        Table table = new Table().Title("Packets, unshaped").Border(TableBorder.Rounded);
        table.AddColumns("who", "TCP up, Mbit/s", "ours / it", "TCP down, Mbit/s", "ours / it", "64 B UDP, packets/s", "ours / it", "");
        foreach (TunnelFigures f in figures)
        {
            table.AddRow(
                f.Name.EscapeMarkup(),
                Text(f.UpMbps), Ratio(ours.UpMbps, f.UpMbps), Text(f.DownMbps), Ratio(ours.DownMbps, f.DownMbps), Text(f.Packets), Ratio(ours.Packets, f.Packets),
                (f.Problem ?? "").EscapeMarkup());
        }

        console.Write(table);
    }

    private static string Text(double? value) => value is { } v ? v.ToString("0", CultureInfo.InvariantCulture) : "–";

    private static string Ratio(double? ours, double? other) =>
        ours is { } a && other is > 0 and var b ? (a / b).ToString("0.00", CultureInfo.InvariantCulture) : "–";
}
