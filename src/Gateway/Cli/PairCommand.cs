using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Node;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Grpc.Core;

namespace Aggregator.Gateway.Cli;

/// <summary>`pair`: proves the code, stores the VPS as this gateway's node, and tells a running daemon.</summary>
internal static class PairCommand
{
    private static readonly TimeSpan ReloadTimeout = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var line = Options.StrictArgument("URI", "The line that `aggregator-vps pair` printed, in quotes", PairingUri.Parse);
        var name = Options.Strict("--name", "NAME", "What this gateway wants to be called; default: the host's name", Values.Name);
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "pair",
            "Pairs this gateway with a VPS. It replaces the VPS that it was paired with before.",
            $"{RootCommandFactory.Name} pair 'aggregator://vps.example.net:7443/?pin=…&code=…'")
        {
            line, name, config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetRequiredValue(line),
            parsed.GetValue(name) ?? HostName(),
            parsed.GetRequiredValue(config),
            parsed.InvocationConfiguration.Output,
            cancel));
        return command;
    }

    private static async Task<int> RunAsync(PairingUri line, string name, string configPath, TextWriter output, CancellationToken cancellationToken)
    {
        // Pairing may come before configuring; only a file that was asked for must be there.
        var config = configPath == GatewayConfigFile.DefaultPath && !File.Exists(configPath) ? new GatewayConfig() : GatewaySettings.Load(configPath);
        using var identity = IdentityKey.LoadOrCreate(config.State);
        var node = await PairingClient.PairAsync(line, identity, name, cancellationToken);
        node.Save(config.State);
        await output.WriteLineAsync($"paired with {node.Address}; it calls this gateway {node.GatewayName}");
        await output.WriteLineAsync(await ReloadAsync(config.Api, cancellationToken)
            ? "the running daemon connects to it now"
            : $"next: `{GatewaySettings.Command("run", configPath)}`");
        return ExitCode.Done;
    }

    /// <returns>False: no daemon runs.</returns>
    private static async Task<bool> ReloadAsync(string api, CancellationToken cancellationToken)
    {
        using var local = await LocalClient.TryConnectAsync(api, cancellationToken);
        if (local is null)
        {
            return false;
        }

        try
        {
            await new GatewayLocal.GatewayLocalClient(local.Channel).ReloadAsync(
                new ReloadRequest(),
                new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + ReloadTimeout, cancellationToken: cancellationToken));
            return true;
        }
        catch (RpcException e)
        {
            throw new CliException($"paired, but the running daemon could not be told ({e.Status.StatusCode}: {e.Status.Detail}); restart it", inner: e);
        }
    }

    private static string HostName()
    {
        string host = Environment.MachineName.Split('.')[0];
        return Values.Name(host).Problem is null ? host : "gateway";
    }
}
