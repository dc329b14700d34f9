using System.CommandLine;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios;
using Aggregator.Lab.Cli;
using Aggregator.Lab.Topology;
using Spectre.Console;

namespace Aggregator.Benchmarks.Cli;

internal static class AggregationCommand
{
    /// <summary>What must be reached of raw kernel MPTCP.</summary>
    private const double Wanted = 0.95;

    internal static Command Create()
    {
        var wans = new Option<string[]>("--wan")
        {
            Description = "An internet line, as netlab takes it; without: 100 Mbit/s with 10 ms and 50 Mbit/s with 30 ms, both ways",
            AllowMultipleArgumentsPerToken = true,
        };
        var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 2, Description = "how often each is measured" };
        var seconds = new Option<double>("--seconds") { DefaultValueFactory = _ => 8, Description = "length of a transfer at the lines' full rate" };
        var connections = new Option<int>("--connections") { DefaultValueFactory = _ => 1, Description = "over how many at a time each moves its bytes" };
        var json = new Option<bool>("--json") { Description = "the report as JSON on standard output" };
        var command = new Command("aggregation", "One transfer over unequal lines: our gateway against raw kernel MPTCP.") { wans, rounds, seconds, connections, json };
        var product = new ProductOptions(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            Programs.Require("mptcpize", "iperf3", "curl");
            LabSpec spec = parsed.GetValue(wans) is { Length: > 0 } texts
                ? new LabSpec { Wans = [.. texts.Select((text, i) => WanText.Parse(text, i + 1))] }
                : BenchmarkLabs.Unequal;
            AggregationReport report = await AggregationScenario.RunAsync(
                spec,
                parsed.GetValue(rounds),
                TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                parsed.GetValue(connections),
                product.Of(parsed),
                Console.Error.WriteLine,
                cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(report, Generator.Json));
            }
            else
            {
                Write(Consoles.Wide(), report);
            }

            return report.Rows.All(r => r.Ratio is null or >= Wanted) ? 0 : 1;
        });
        return command;
    }

    private static void Write(IAnsiConsole console, AggregationReport report)
    {
        Table table = new Table()
            .Title($"{report.Bytes / 1e6:0} MB over {report.Connections} connections at a time, over lines of {report.LinesMbps:0} Mbit/s together; {report.Rounds} rounds")
            .Border(TableBorder.Rounded);
        table.AddColumns("way", "direction", "Mbit/s, median (min–max)", "of raw kernel MPTCP");
        foreach (AggregationRow row in report.Rows)
        {
            table.AddRow(row.Way, row.Direction, row.Mbps.Text("0.0"), row.Ratio?.ToString("0.000") ?? "–");
        }

        console.Write(table);
    }
}
