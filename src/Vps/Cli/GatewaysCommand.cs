using System.CommandLine;
using System.Text.Json;
using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Pairing;
using Grpc.Core;

namespace Aggregator.Vps.Cli;

/// <summary>`gateways`: who may connect, and who is connected where a daemon runs to ask.</summary>
internal static class GatewaysCommand
{
    /// <summary>A daemon of this host answers at once or is in trouble.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var json = Options.Json();
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "gateways",
            "Lists the gateways that may connect.",
            $"{RootCommandFactory.Name} gateways")
        {
            json, config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            VpsSettings.Load(parsed.GetRequiredValue(config)), parsed.GetValue(json), parsed.InvocationConfiguration, cancel));
        return command;
    }

    private static async Task<int> RunAsync(VpsConfig config, bool json, InvocationConfiguration streams, CancellationToken cancellationToken)
    {
        var gateways = new PairedGateways(config.State);
        foreach (var problem in gateways.Problems)
        {
            await streams.Error.WriteLineAsync($"{RootCommandFactory.Name}: warning: {problem.Message}");
        }

        var sessions = await SessionsAsync(config.Api, cancellationToken);
        await streams.Output.WriteLineAsync(json ? Json(gateways, sessions) : Table(gateways, sessions));
        return ExitCode.Done;
    }

    /// <returns>By name; null where no daemon answers.</returns>
    private static async Task<Dictionary<string, GatewaySession>?> SessionsAsync(string api, CancellationToken cancellationToken)
    {
        using var local = await LocalClient.TryConnectAsync(api, cancellationToken);
        if (local is null)
        {
            return null;
        }

        try
        {
            var status = await new VpsLocal.VpsLocalClient(local.Channel).GetStatusAsync(
                new StatusRequest(), new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
            return status.Gateways.GroupBy(g => g.Name).ToDictionary(g => g.Key, g => g.First());
        }
        catch (RpcException e)
        {
            throw new CliException($"the daemon on {api} does not answer ({e.Status.StatusCode}: {e.Status.Detail}); look at its log", inner: e);
        }
    }

    private static string Table(PairedGateways gateways, Dictionary<string, GatewaySession>? sessions)
    {
        if (gateways.All.IsEmpty)
        {
            return $"no gateway is paired; `{RootCommandFactory.Name} pair` prints the line for one";
        }

        int width = gateways.All.Max(g => g.Name.Length);
        return string.Join('\n', gateways.All.Select(g =>
            $"{g.Name.PadRight(width)}  paired {g.PairedAt:yyyy-MM-dd HH:mm}Z  {(sessions is null ? "(no daemon to ask)" : State(sessions.GetValueOrDefault(g.Name)))}"));
    }

    private static string State(GatewaySession? session) => session is { Connected: true }
        ? $"connected{(session.HasAddress ? $" from {session.Address}" : "")}"
        : "not connected";

    private static string Json(PairedGateways gateways, Dictionary<string, GatewaySession>? sessions) => JsonSerializer.Serialize(
        new
        {
            gateways = gateways.All.Select(g => new
            {
                name = g.Name,
                pin = g.Pin.ToString(),
                paired_at = g.PairedAt,
                connected = sessions is null ? (bool?)null : sessions.GetValueOrDefault(g.Name)?.Connected ?? false,
                address = sessions?.GetValueOrDefault(g.Name) is { HasAddress: true } session ? session.Address : null,
            }),
        },
        JsonOutput.Indented);
}
