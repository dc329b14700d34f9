using System.CommandLine;
using System.Text.Json;
using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Cli;

internal static class RelayCommand
{
    private static readonly (string Key, string[] Programs, Func<Contestant> Make)[] Known =
    [
        ("mptcp", ["mptcpize"], () => new RawMptcp()),
        ("iperf3", ["mptcpize", "iperf3"], () => new RawMptcpIperf3()),
        ("haproxy", ["mptcpize", "haproxy"], () => new HaproxySplice()),
        ("v2ray", ["mptcpize", "v2ray"], () => new V2rayVmess()),
        ("ours-tls", [], () => new Ours("Aggregator, TLS 1.3", new ProductSettings { Carrier = "mptcp", Transparent = false })),
        ("ours-plain", [], () => new Ours("Aggregator, no cipher", new ProductSettings { Carrier = "mptcp", Transparent = false, Encrypt = false })),
    ];

    internal static Command Create()
    {
        var rounds = new Option<int>("--rounds") { DefaultValueFactory = _ => 3, Description = "how often each is measured" };
        var seconds = new Option<double>("--seconds") { DefaultValueFactory = _ => 3, Description = "length of a measurement" };
        var warmUp = new Option<double>("--warm-up") { DefaultValueFactory = _ => 1, Description = "seconds before each measurement" };
        var streams = new Option<int[]>("--streams")
        {
            DefaultValueFactory = _ => [1],
            Description = "numbers of parallel streams, each measured by itself",
            AllowMultipleArgumentsPerToken = true,
        };
        var only = new Option<string[]>("--only")
        {
            Description = "some contestants: " + string.Join(", ", Known.Select(k => k.Key)),
            AllowMultipleArgumentsPerToken = true,
        };
        only.AcceptOnlyFromAmong([.. Known.Select(k => k.Key)]);
        var json = new Option<bool>("--json") { Description = "the report as JSON on standard output" };
        var command = new Command("relay", "Two hops without shaping: throughput, processor time a byte and memory against the rivals.")
        {
            rounds, seconds, warmUp, streams, only, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string[] wanted = parsed.GetValue(only) is { Length: > 0 } some ? some : [.. Known.Select(k => k.Key)];
            var options = new RelayOptions(
                parsed.GetValue(rounds),
                TimeSpan.FromSeconds(parsed.GetValue(warmUp)),
                TimeSpan.FromSeconds(parsed.GetValue(seconds)),
                parsed.GetValue(streams) is { Length: > 0 } numbers ? numbers : [1]);
            var chosen = Known.Where(k => wanted.Contains(k.Key)).ToList();
            Programs.Require(chosen.SelectMany(k => k.Programs));
            RelayReport report = await RelayScenario.RunAsync(
                [.. chosen.Select(k => k.Make())], options, Console.Error.WriteLine, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(report, Generator.Json));
            }
            else
            {
                RelayTables.Write(Consoles.Wide(), report);
            }

            return 0;
        });
        return command;
    }
}
