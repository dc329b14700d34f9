using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Report;
using Aggregator.Benchmarks.Scenarios.Trunk;

namespace Aggregator.Benchmarks.Cli;

internal static class TrunkCommand
{
    private static readonly TrunkRow[] Rows =
        [FourLinksRow.Row, BlackHoleRow.Row, RequestsRow.Row, UnshapedRow.Row, StreamsRow.Row, RandomSetsRow.Row, SoakRow.Row];

    internal static Command Create()
    {
        var rows = new Option<string[]>("--rows")
        {
            Description = "some rows: " + string.Join("; ", Rows.Select(r => $"{r.Key}: {r.Description}")),
            AllowMultipleArgumentsPerToken = true,
        };
        rows.AcceptOnlyFromAmong([.. Rows.Select(r => r.Key)]);
        var factor = new Option<double>("--factor") { DefaultValueFactory = _ => 1, Description = "lengths and repetitions; 0.2 is a short look" };
        var sets = new Option<int>("--sets") { DefaultValueFactory = _ => 12, Description = "random sets of lines" };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1, Description = "of the random sets and flaps" };
        var soak = new Option<double>("--soak") { DefaultValueFactory = _ => 10, Description = "minutes of random flaps" };
        var json = new Option<bool>("--json") { Description = "the figures as JSON on standard output" };
        var command = new Command("trunk", "The trunk over unequal, lossy and failing lines: every figure that it must hold.") { rows, factor, sets, seed, soak, json };
        var product = new ProductOptions(command, "trunk");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            TrunkRow[] chosen = parsed.GetValue(rows) is { Length: > 0 } keys ? [.. Rows.Where(r => keys.Contains(r.Key))] : Rows;
            Programs.Require(chosen.SelectMany(r => r.Programs));
            long begin = Stopwatch.GetTimestamp();
            var options = new TrunkOptions(
                product.Of(parsed),
                parsed.GetValue(factor),
                parsed.GetValue(sets),
                parsed.GetValue(seed),
                TimeSpan.FromMinutes(parsed.GetValue(soak)),
                line => Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(begin).TotalSeconds,6:0.0} s  {line}"));
            var figures = new List<TrunkFigure>();
            foreach (TrunkRow row in chosen)
            {
                cancellationToken.ThrowIfCancellationRequested();
                options.Progress($"{row.Key}: {row.Description}");
                try
                {
                    figures.AddRange(await row.RunAsync(options, cancellationToken));
                }
                catch (Exception e) when (e is IOException or TimeoutException)
                {
                    // The other rows still have something to say.
                    figures.Add(new TrunkFigure(row.Key, row.Description, e.Message.Split('\n')[0], "to be measured", false));
                    options.Progress(e.Message);
                }
            }

            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(figures, Generator.Json));
            }
            else
            {
                FigureTable.Write("The trunk", figures);
            }

            return figures.All(f => f.Held is not false) ? 0 : 1;
        });
        return command;
    }
}
