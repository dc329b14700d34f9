using System.CommandLine;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios;
using Spectre.Console;

namespace Aggregator.Benchmarks.Cli;

internal static class StormCommand
{
    internal static Command Create()
    {
        var flows = new Option<int>("--flows") { DefaultValueFactory = _ => 2000, Description = "how many are opened at once" };
        var idle = new Option<double>("--idle") { DefaultValueFactory = _ => 10, Description = "seconds that they then stay without traffic" };
        var json = new Option<bool>("--json") { Description = "the report as JSON on standard output" };
        var command = new Command("storm", "Thousands of flows at once through the gateway: losses, time, memory.") { flows, idle, json };
        var product = new ProductOptions(command);
        command.SetAction(async (parsed, _) =>
        {
            StormReport report = await StormScenario.RunAsync(
                parsed.GetValue(flows), TimeSpan.FromSeconds(parsed.GetValue(idle)), product.Of(parsed), Console.Error.WriteLine);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(report, Generator.Json));
            }
            else
            {
                Write(Consoles.Wide(), report);
            }

            return report.Opened.Lost + report.AfterIdling.Lost == 0 ? 0 : 1;
        });
        return command;
    }

    private static void Write(IAnsiConsole console, StormReport report)
    {
        Table flows = new Table().Title("Flows").Border(TableBorder.Rounded);
        flows.AddColumns("", "flows", "lost", "all done after", "median", "99 %");
        foreach ((string name, StormResult result) in ((string, StormResult)[])[("opened at once, first echo", report.Opened), ("echo again after idling", report.AfterIdling)])
        {
            flows.AddRow(
                name, result.Flows.ToString(), result.Lost.ToString(), $"{result.Seconds:0.00} s", $"{result.MedianMs:0} ms", $"{result.P99Ms:0} ms");
        }

        console.Write(flows);
        foreach ((string error, int count) in report.Opened.Errors.Concat(report.AfterIdling.Errors))
        {
            console.Write(new Text($"{count} × {error}\n"));
        }

        Table memory = new Table().Title("Resident memory, MB").Border(TableBorder.Rounded);
        memory.AddColumns("", "before", "all open and idle", "peak", "kB an idle flow");
        foreach ((string name, StormMemory value) in ((string, StormMemory)[])[("gateway", report.Gateway), ("VPS", report.Vps)])
        {
            memory.AddRow(
                name, $"{value.Before / 1e6:0.0}", $"{value.Open / 1e6:0.0}", $"{value.Peak / 1e6:0.0}", $"{value.IdleBytesPerFlow / 1e3:0.0}");
        }

        console.Write(memory);
        Table cpu = new Table().Title("Processor time, s").Border(TableBorder.Rounded);
        cpu.AddColumns("", "opening all", "a second of idling");
        foreach ((string name, StormCpu value) in ((string, StormCpu)[])[("gateway", report.GatewayCpu), ("VPS", report.VpsCpu)])
        {
            cpu.AddRow(name, $"{value.Opening:0.00}", $"{value.Idle:0.000}");
        }

        console.Write(cpu);
        console.Write(new Text(report.Joined is { } seconds
            ? $"Each connection had its subflow on each further line after {seconds:0.00} s ({report.Joins} joins).\n"
            : $"{report.Joins} joins; not each connection has one on each further line.\n"));
    }
}
