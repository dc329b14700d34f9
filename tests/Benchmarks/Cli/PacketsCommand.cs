using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios.Packets;
using Spectre.Console;

namespace Aggregator.Benchmarks.Cli;

/// <summary>`packets`: a LAN's IP packets over the VPS, against wireguard-go and openvpn in the same run.</summary>
internal static class PacketsCommand
{
    internal static Command Create()
    {
        var seconds = new Option<int>("--seconds") { DefaultValueFactory = _ => 5, Description = "of each measurement" };
        var json = new Option<bool>("--json") { Description = "the figures as JSON on standard output" };
        var command = new Command("packets", "IP packets of a LAN, without shaping: TCP up and down, small UDP; ratios against wireguard-go and openvpn.") { seconds, json };
        var product = new ProductOptions(command, "trunk");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var figures = await PacketsScenario.RunAsync(product.Of(parsed), parsed.GetValue(seconds), Console.Error.WriteLine, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(figures, Generator.Json));
            }
            else
            {
                Write(Consoles.Wide(), figures);
            }

            return figures.All(f => f.Problem is null) ? 0 : 1;
        });
        return command;
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
