using System.CommandLine;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;

namespace Aggregator.Benchmarks.Cli;

/// <summary>The generator's own processes; the scenarios start them.</summary>
internal static class GeneratorCommand
{
    internal static Command Create() =>
        new("generator", "The load generator's server and client; the other commands start them.") { Server(), Bulk() };

    private static Argument<IPEndPoint> EndPoint(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            if (IPEndPoint.TryParse(result.Tokens[0].Value, out IPEndPoint? value))
            {
                return value;
            }

            result.AddError($"'{result.Tokens[0].Value}' is not ADDRESS:PORT");
            return null;
        },
    };

    private static Command Server()
    {
        Argument<IPEndPoint> listen = EndPoint("listen", "address and port");
        var command = new Command("server", "Answers clients until it is ended.") { listen };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                await LoadServer.RunAsync(parsed.GetRequiredValue(listen), cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Its end.
            }

            return 0;
        });
        return command;
    }

    private static Command Bulk()
    {
        Argument<IPEndPoint> target = EndPoint("target", "the server's address and port");
        var kind = new Option<string>("--kind") { DefaultValueFactory = _ => "down", Description = "down or up" };
        kind.AcceptOnlyFromAmong("down", "up");
        var warmUp = new Option<int>("--warm-up-ms") { DefaultValueFactory = _ => 1000 };
        var window = new Option<int>("--window-ms") { DefaultValueFactory = _ => 3000 };
        var streams = new Option<int>("--streams") { DefaultValueFactory = _ => 1 };
        var socks = new Option<string?>("--socks") { Description = "a SOCKS5 server's address and port" };
        var command = new Command("bulk", "Moves bytes one way and prints the rate as JSON.") { target, kind, warmUp, window, streams, socks };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = new LoadRequest(
                parsed.GetValue(kind) == "up" ? LoadKind.Up : LoadKind.Down,
                TimeSpan.FromMilliseconds(parsed.GetValue(warmUp)),
                TimeSpan.FromMilliseconds(parsed.GetValue(window)));
            IPEndPoint? proxy = parsed.GetValue(socks) is { } text ? IPEndPoint.Parse(text) : null;
            BulkResult result = await LoadClient.RunAsync(
                parsed.GetRequiredValue(target), proxy, request, parsed.GetValue(streams), cancellationToken);
            Console.WriteLine(JsonSerializer.Serialize(result, Generator.Json));
            return 0;
        });
        return command;
    }
}
