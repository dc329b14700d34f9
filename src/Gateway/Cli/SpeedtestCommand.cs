using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Grpc.Core;
using Spectre.Console;

namespace Aggregator.Gateway.Cli;

/// <summary>`speedtest`: asks the daemon for a test and shows how it goes.</summary>
internal static class SpeedtestCommand
{
    internal static Command Create()
    {
        var link = new Option<string[]>("--link") { Description = "Only this link (its name or interface); may be given several times", HelpName = "NAME", AllowMultipleArgumentsPerToken = false };
        var down = new Option<bool>("--down") { Description = "Only downloads" };
        var up = new Option<bool>("--up") { Description = "Only uploads" };
        var duration = Options.Strict(
            "--duration",
            "5s",
            $"The longest time of one measurement (a link, a direction), {SpeedOptions.ShortestDuration.TotalSeconds:0}s to {SpeedOptions.LongestDuration.TotalSeconds:0}s; it ends earlier once the rate is steady",
            Duration);
        var noBonded = new Option<bool>("--no-bonded") { Description = "Each link alone, not all together" };
        var history = new Option<bool>("--history") { Description = "Measure nothing; show the results kept of earlier tests, link by link" };
        var json = Options.Json();
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "speedtest",
            "Measures every link alone and then all together, between this gateway and its VPS, and says what limits. It ends by itself, in less than 45 s for up to three links (12 s more for each that answers in more than 200 ms).",
            $"{RootCommandFactory.Name} speedtest",
            $"{RootCommandFactory.Name} speedtest --link lte --down --duration 10s",
            $"{RootCommandFactory.Name} speedtest --history")
        {
            link, down, up, duration, noBonded, history, json, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            TextWriter output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(history))
            {
                return await HistoryAsync(GatewaySettings.Load(path).State, parsed.GetValue(json), output, parsed.InvocationConfiguration.Error);
            }

            using var local = await LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            var request = new SpeedRequest
            {
                Down = parsed.GetValue(down),
                Up = parsed.GetValue(up),
                DurationMs = parsed.GetResult(duration) is { Implicit: false } ? (uint)parsed.GetValue(duration).TotalMilliseconds : 0,
                NoBonded = parsed.GetValue(noBonded),
            };
            request.Links.AddRange(parsed.GetValue(link) ?? []);
            var client = new GatewaySpeed.GatewaySpeedClient(local.Channel);
            if (parsed.GetValue(json))
            {
                await output.WriteLineAsync(JsonOutput.Format(await RunAsync(client, request, _ => { }, cancel)));
                return ExitCode.Done;
            }

            SpeedResult result = Terminal.IsInteractive ? await ShowAsync(client, request, output, cancel) : await RunAsync(client, request, _ => { }, cancel);
            IAnsiConsole console = Screens.On(output);
            console.Write(SpeedtestTable.Draw(result, console.Profile.Width));
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<SpeedResult> ShowAsync(
        GatewaySpeed.GatewaySpeedClient client, SpeedRequest request, TextWriter output, CancellationToken cancellationToken)
    {
        var screen = new SpeedtestScreen();
        IAnsiConsole console = Screens.On(output);
        return await console.Live(screen.Draw(console.Profile.Width)).AutoClear(true).StartAsync(live => RunAsync(
            client,
            request,
            progress =>
            {
                screen.Take(progress);
                live.UpdateTarget(screen.Draw(console.Profile.Width));
            },
            cancellationToken));
    }

    private static async Task<int> HistoryAsync(string state, bool json, TextWriter output, TextWriter error)
    {
        SpeedHistoryRead history = SpeedHistory.Read(state);
        if (history.Problem is { } problem)
        {
            await error.WriteLineAsync($"{RootCommandFactory.Name}: {problem}");
        }

        if (json)
        {
            await output.WriteLineAsync(SpeedHistory.Json(history));
        }
        else
        {
            IAnsiConsole console = Screens.On(output);
            console.Write(SpeedtestTable.Draw(history, console.Profile.Width));
        }

        return ExitCode.Done;
    }

    private static async Task<SpeedResult> RunAsync(
        GatewaySpeed.GatewaySpeedClient client, SpeedRequest request, Action<SpeedProgress> progress, CancellationToken cancellationToken)
    {
        using var call = client.Run(request, cancellationToken: cancellationToken);
        try
        {
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
                if (call.ResponseStream.Current.Result is { } result)
                {
                    return result;
                }

                if (call.ResponseStream.Current.Progress is { } step)
                {
                    progress(step);
                }
            }

            throw new CliException("the daemon ended the test without a result; look at its log");
        }
        catch (RpcException e) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(e.Message, e, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.NotFound or StatusCode.InvalidArgument or StatusCode.FailedPrecondition)
        {
            throw new CliException(e.Status.Detail, inner: e);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented)
        {
            throw new CliException("the running daemon is of an older version, without speed tests; restart it", inner: e);
        }
        catch (RpcException e)
        {
            throw new CliException($"the daemon has ended or does not answer ({e.Status.Detail.ReplaceLineEndings(" ")})", ExitCode.Failed, e);
        }
    }

    private static Parsed<TimeSpan> Duration(string text)
    {
        var parsed = Durations.Parse(text);
        return parsed.Problem is null && (parsed.Value < SpeedOptions.ShortestDuration || parsed.Value > SpeedOptions.LongestDuration)
            ? Parsed<TimeSpan>.Not($"must be {SpeedOptions.ShortestDuration.TotalSeconds:0}s to {SpeedOptions.LongestDuration.TotalSeconds:0}s; it is {MapReader.Shown(text)}")
            : parsed;
    }
}
