using System.CommandLine;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;

namespace Aggregator.Benchmarks.Cli;

/// <summary>The generator's own processes; the scenarios start them.</summary>
internal static class GeneratorCommand
{
    internal static Command Create() =>
        new("generator", "The load generator's server and client; the other commands start them.") { Server(), Bulk(), Echo(), Storm(), Http(), Trace(), Requests(), Soak() };

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
        var command = new Command("server", "Serves bulk transfers until it is ended.") { listen };
        command.SetAction(parsed => BulkServer.Run(parsed.GetRequiredValue(listen)));
        return command;
    }

    private static Command Echo()
    {
        Argument<IPEndPoint> listen = EndPoint("listen", "address and port");
        var command = new Command("echo", "Returns what it gets until it is ended.") { listen };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                await EchoServer.RunAsync(parsed.GetRequiredValue(listen), cancellationToken);
            }
            catch (OperationCanceledException)
            {
                // Its end.
            }

            return 0;
        });
        return command;
    }

    private static Command Http()
    {
        Argument<IPEndPoint> listen = EndPoint("listen", "address and port");
        var command = new Command("http", "Serves GET /bytes/N and PUT /upload until it is ended.") { listen };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await HttpServer.RunAsync(parsed.GetRequiredValue(listen), cancellationToken);
            return 0;
        });
        return command;
    }

    private static Command Storm()
    {
        Argument<IPEndPoint> target = EndPoint("target", "the echo server's address and port");
        var flows = new Option<int>("--flows") { DefaultValueFactory = _ => 2000 };
        var idle = new Option<int>("--idle-ms") { DefaultValueFactory = _ => 0 };
        var limit = new Option<int>("--limit-ms") { DefaultValueFactory = _ => 60_000 };
        var socks = new Option<string?>("--socks") { Description = "a SOCKS5 server's address and port" };
        var command = new Command("storm", "Opens many flows at once, twice checks their echo, and prints a line of JSON for each time.")
        {
            target, flows, idle, limit, socks,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            IPEndPoint? proxy = parsed.GetValue(socks) is { } text ? IPEndPoint.Parse(text) : null;
            TimeSpan most = TimeSpan.FromMilliseconds(parsed.GetValue(limit));
            var client = new StormClient(parsed.GetRequiredValue(target), proxy);
            Console.WriteLine(JsonSerializer.Serialize(await client.OpenAsync(parsed.GetValue(flows), most), Generator.Json));
            await Task.Delay(parsed.GetValue(idle), cancellationToken);
            Console.WriteLine(JsonSerializer.Serialize(await client.EchoAgainAsync(most), Generator.Json));
            return 0;
        });
        return command;
    }

    private static Command Trace()
    {
        Argument<IPEndPoint> target = EndPoint("target", "the server's address and port");
        var kind = new Option<string>("--kind") { DefaultValueFactory = _ => "down", Description = "down or up" };
        kind.AcceptOnlyFromAmong("down", "up");
        var length = new Option<int>("--length-ms") { DefaultValueFactory = _ => 5000 };
        var socks = new Option<string?>("--socks") { Description = "a SOCKS5 server's address and port" };
        var command = new Command("trace", "One bulk stream; prints as JSON when its bytes came to the reader.") { target, kind, length, socks };
        command.SetAction(parsed =>
        {
            IPEndPoint? proxy = parsed.GetValue(socks) is { } text ? IPEndPoint.Parse(text) : null;
            TraceResult result = TraceClient.Run(
                parsed.GetRequiredValue(target),
                proxy,
                parsed.GetValue(kind) == "up" ? LoadKind.TraceUp : LoadKind.Down,
                TimeSpan.FromMilliseconds(parsed.GetValue(length)));
            Console.WriteLine(JsonSerializer.Serialize(result, Generator.Json));
        });
        return command;
    }

    private static Command Requests()
    {
        Argument<IPEndPoint> target = EndPoint("target", "the echo server's address and port");
        var count = new Option<int>("--count") { DefaultValueFactory = _ => 50 };
        var pause = new Option<int>("--pause-ms") { DefaultValueFactory = _ => 50 };
        var bytes = new Option<int>("--bytes") { DefaultValueFactory = _ => 1024 };
        var socks = new Option<string?>("--socks") { Description = "a SOCKS5 server's address and port" };
        var command = new Command("requests", "Small requests one after the other, each on a new stream; prints their times in ms as JSON.")
        {
            target, count, pause, bytes, socks,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            IPEndPoint? proxy = parsed.GetValue(socks) is { } text ? IPEndPoint.Parse(text) : null;
            double[] times = await RequestClient.RunAsync(
                parsed.GetRequiredValue(target),
                proxy,
                parsed.GetValue(count),
                parsed.GetValue(bytes),
                TimeSpan.FromMilliseconds(parsed.GetValue(pause)),
                cancellationToken);
            Console.WriteLine(JsonSerializer.Serialize(times, Generator.Json));
            return 0;
        });
        return command;
    }

    private static Command Soak()
    {
        Argument<IPEndPoint> target = EndPoint("target", "the echo server's address and port");
        var tracks = new Option<int>("--tracks") { DefaultValueFactory = _ => 8 };
        var length = new Option<int>("--length-ms") { DefaultValueFactory = _ => 60_000 };
        var seed = new Option<int>("--seed") { DefaultValueFactory = _ => 1 };
        var socks = new Option<string?>("--socks") { Description = "a SOCKS5 server's address and port" };
        var command = new Command("soak", "Streams of random length whose echo is checked byte for byte; prints what became of them as JSON.")
        {
            target, tracks, length, seed, socks,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            IPEndPoint? proxy = parsed.GetValue(socks) is { } text ? IPEndPoint.Parse(text) : null;
            var client = new SoakClient(parsed.GetRequiredValue(target), proxy, parsed.GetValue(seed));
            SoakResult result = await client.RunAsync(
                parsed.GetValue(tracks), TimeSpan.FromMilliseconds(parsed.GetValue(length)), cancellationToken);
            Console.WriteLine(JsonSerializer.Serialize(result, Generator.Json));
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
            BulkResult result = await BulkClient.RunAsync(
                parsed.GetRequiredValue(target), proxy, request, parsed.GetValue(streams), cancellationToken);
            Console.WriteLine(JsonSerializer.Serialize(result, Generator.Json));
            return 0;
        });
        return command;
    }
}
