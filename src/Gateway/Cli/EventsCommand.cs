using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;
using Grpc.Core;

namespace Aggregator.Gateway.Cli;

/// <summary>`events`: what happened to links, VPS, quotas and hooks.</summary>
internal static class EventsCommand
{
    private const int DefaultLimit = 50;

    internal static Command Create()
    {
        var limit = new Option<int>("--limit") { HelpName = "N", Description = "The latest so many", DefaultValueFactory = _ => DefaultLimit };
        limit.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !(int.TryParse(result.Tokens[0].Value, out int number) && number is >= 0 and <= 1000))
            {
                result.AddError("--limit must be a number from 0 to 1000");
            }
        });
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with each as it happens, until Ctrl-C; with --json a line for each" };
        var json = Options.Json();
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "events",
            "Shows what happened, oldest first: links up, degraded, down, roles, addresses, portals, quotas, the VPS, hooks that failed. A thousand are kept, over restarts too.",
            $"{RootCommandFactory.Name} events --follow")
        {
            limit, follow, json, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            using var local = await LocalClient.ConnectAsync(GatewaySettings.Load(path).Api, GatewaySettings.Command("run", path), cancel);
            var client = new GatewayEvents.GatewayEventsClient(local.Channel);
            var output = parsed.InvocationConfiguration.Output;
            var request = new ListEventsRequest { Limit = (uint)parsed.GetValue(limit) };
            // 0 means all in the API.
            var reply = request.Limit == 0 && parsed.GetValue(follow)
                ? new ListEventsReply()
                : await LocalCall.RunAsync(options => client.ListEventsAsync(request, options).ResponseAsync, cancel);
            if (!parsed.GetValue(follow))
            {
                await output.WriteLineAsync(parsed.GetValue(json) ? JsonOutput.Format(reply) : string.Join('\n', reply.Events.Select(Text)));
                return ExitCode.Done;
            }

            foreach (var item in reply.Events)
            {
                await output.WriteLineAsync(Line(item));
            }

            ulong last = reply.Events.Count > 0
                ? reply.Events[^1].Number
                : (await LocalCall.RunAsync(options => client.ListEventsAsync(new ListEventsRequest { Limit = 1 }, options).ResponseAsync, cancel)).Events.LastOrDefault()?.Number ?? 0;
            return await FollowAsync(client, last, item => output.WriteLineAsync(Line(item)), cancel);

            string Line(GatewayEvent item) => parsed.GetValue(json) ? JsonOutput.Format(item, indented: false) : Text(item);
        });
        return command;
    }

    private static async Task<int> FollowAsync(
        GatewayEvents.GatewayEventsClient client, ulong after, Func<GatewayEvent, Task> write, CancellationToken cancellationToken)
    {
        using var call = client.WatchEvents(new WatchEventsRequest { After = after }, cancellationToken: cancellationToken);
        try
        {
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
                await write(call.ResponseStream.Current);
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

    private static string Text(GatewayEvent item) =>
        $"{item.Time}  {item.Action,-14} {(item.HasLink ? $"{item.Link} ({item.Interface})" : "")}{(item.HasReason ? (item.HasLink ? ": " : "") + item.Reason : "")}".TrimEnd();
}
