using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Report;
using Aggregator.Lab.Faults;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Spectre.Console;

namespace Aggregator.Benchmarks.Cli;

/// <summary>The matrix of faults: what happens to a WAN, when the gateway knows, what readers feel of it, what breaks, and when the WAN is used again.</summary>
internal static class FaultsCommand
{
    internal static Command Create()
    {
        var only = new Option<string[]>("--only") { Description = "these faults alone, by name", AllowMultipleArgumentsPerToken = true };
        var transfers = new Option<int>("--transfers") { DefaultValueFactory = _ => 50, Description = "that go on all the time; 0 for an idle gateway" };
        var idle = new Option<int>("--idle") { DefaultValueFactory = _ => 200, Description = "flows that only wait" };
        var json = new Option<bool>("--json") { Description = "the results as JSON on standard output" };
        var log = new Option<bool>("--log") { Description = "the gateway's log of each fault on standard error" };
        var command = new Command("faults", "Faults of a WAN under load: detection, gaps, broken flows, recovery.") { only, transfers, idle, json, log };
        var product = new ProductOptions(command);
        command.SetAction(async (parsed, _) =>
        {
            string[] names = parsed.GetValue(only) ?? [];
            LinkFault[] faults = [.. LinkFault.All.Where(f => names.Length == 0 || names.Contains(f.Name))];
            ProductSettings settings = product.Of(parsed);
            var results = new List<FaultResult>();
            await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Faults);
            foreach (LinkFault fault in faults)
            {
                // A gateway of its own for each: what one fault left behind (penalties, habits) is not the next one's.
                await using AggregatorUnderTest gateway = await AggregatorUnderTest.StartAsync(lab, settings);
                FaultResult result = await FaultTrial.RunAsync(lab, gateway, fault, lab.Wans[0], parsed.GetValue(transfers), parsed.GetValue(idle));
                Console.Error.WriteLine($"{string.Join(" | ", Row(result, fault))} | {result.State} {string.Join(", ", result.Errors.Select(e => $"{e.Value} × {e.Key}"))}");
                if (parsed.GetValue(log))
                {
                    Console.Error.WriteLine(gateway.Gateway.Transcript());
                }

                results.Add(result);
            }

            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(results, Generator.Json));
            }
            else
            {
                string title = $"Faults of one of two WANs, carrier {settings.Carrier ?? "by default"}, {parsed.GetValue(transfers)} transfers and {parsed.GetValue(idle)} idle flows";
                Consoles.Wide().Write(Table(title, results, faults));
            }

            return results.Zip(faults).Any(r => r.First.TransfersBroken + r.First.IdleBroken > 0 && !r.Second.TakesAll) ? 1 : 0;
        });
        return command;
    }

    private static Table Table(string title, List<FaultResult> results, LinkFault[] faults)
    {
        Table table = new Table().Title(title).Border(TableBorder.Rounded);
        table.AddColumns("fault", "detected after", "as", "gap at the reader: median", "worst", "before it", "flows broken", "recovered after");
        foreach ((FaultResult result, LinkFault fault) in results.Zip(faults))
        {
            table.AddRow([.. Row(result, fault).Select(Markup.Escape)]);
        }

        return table;
    }

    private static string[] Row(FaultResult result, LinkFault fault) =>
    [
        $"{fault.Name}, {fault.Lasts.TotalSeconds:0} s",
        Ms(result.Detected),
        result.State.Split(':')[0],
        Ms(result.MedianGap),
        Ms(result.WorstGap),
        Ms(result.UsualGap),
        $"{result.TransfersBroken} + {result.IdleBroken}",
        Ms(result.Recovered),
    ];

    private static string Ms(TimeSpan? time) => time is { } t ? string.Create(CultureInfo.InvariantCulture, $"{t.TotalMilliseconds:0} ms") : "–";
}
