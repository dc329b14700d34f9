using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Spectre.Console;

namespace Aggregator.Gateway.Cli;

/// <summary>`status`: once, as JSON, or kept on the screen.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

    internal static Command Create()
    {
        var json = Options.Json();
        var watch = new Option<bool>("--watch") { Description = "Keep it up to date until Ctrl-C; with --json a line for each status" };
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "status",
            "Shows the VPS, the links, the flows, and what deserves attention.",
            $"{RootCommandFactory.Name} status --watch")
        {
            json, watch, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            using var local = await LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            var client = new GatewayLocal.GatewayLocalClient(local.Channel);
            var output = parsed.InvocationConfiguration.Output;
            return parsed.GetValue(watch)
                ? await WatchAsync(client, parsed.GetValue(json), output, cancel)
                : await OnceAsync(client, parsed.GetValue(json), output, cancel);
        });
        return command;
    }

    private static async Task<int> OnceAsync(GatewayLocal.GatewayLocalClient client, bool json, TextWriter output, CancellationToken cancellationToken)
    {
        GatewayStatus status = await LocalCall.RunAsync(options => client.GetStatusAsync(new StatusRequest(), options).ResponseAsync, cancellationToken);
        if (json)
        {
            await output.WriteLineAsync(JsonOutput.Format(status));
        }
        else
        {
            Screens.On(output).Write(StatusTable.Draw(status));
        }

        return ExitCode.Done;
    }

    private static async Task<int> WatchAsync(GatewayLocal.GatewayLocalClient client, bool json, TextWriter output, CancellationToken cancellationToken)
    {
        using var call = client.WatchStatus(
            new WatchStatusRequest { IntervalMs = (uint)WatchInterval.TotalMilliseconds }, cancellationToken: cancellationToken);
        try
        {
            if (json || !Terminal.IsInteractive)
            {
                while (await call.ResponseStream.MoveNext(cancellationToken))
                {
                    if (json)
                    {
                        await output.WriteLineAsync(JsonOutput.Format(call.ResponseStream.Current, indented: false));
                    }
                    else
                    {
                        Screens.On(output).Write(StatusTable.Draw(call.ResponseStream.Current));
                    }
                }
            }
            else
            {
                await Screens.On(output).Live(new Text("")).AutoClear(false).StartAsync(async live =>
                {
                    while (await call.ResponseStream.MoveNext(cancellationToken))
                    {
                        live.UpdateTarget(StatusTable.Draw(call.ResponseStream.Current));
                    }
                });
            }
        }
        catch (Exception e) when (cancellationToken.IsCancellationRequested && e is OperationCanceledException or RpcException)
        {
            // Ctrl-C is how one leaves.
            return ExitCode.Done;
        }
        catch (RpcException e)
        {
            throw new CliException($"the daemon has ended ({e.Status.Detail})", ExitCode.NotRunning, e);
        }

        return ExitCode.Done;
    }
}
