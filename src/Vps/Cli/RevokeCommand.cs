using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Pairing;
using Grpc.Core;

namespace Aggregator.Vps.Cli;

/// <summary>`revoke`: the gateway's key is forgotten first, then the daemon ends what it has open.</summary>
internal static class RevokeCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var name = new Argument<string>("NAME") { Description = "The gateway's name, as `gateways` lists it" };
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "revoke",
            "Lets a gateway in no more and ends its sessions at once.",
            $"{RootCommandFactory.Name} revoke home")
        {
            name, config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            VpsSettings.Load(parsed.GetRequiredValue(config)), parsed.GetRequiredValue(name), parsed.InvocationConfiguration.Output, cancel));
        return command;
    }

    private static async Task<int> RunAsync(VpsConfig config, string name, TextWriter output, CancellationToken cancellationToken)
    {
        var gateways = new PairedGateways(config.State);
        if (!gateways.Remove(name))
        {
            string known = gateways.All.IsEmpty ? "none is paired" : $"paired are: {string.Join(", ", gateways.All.Select(g => g.Name))}";
            throw new CliException($"no gateway is called {Settings.MapReader.Shown(name)}; {known}");
        }

        using var local = await LocalClient.TryConnectAsync(config.Api, cancellationToken);
        if (local is null)
        {
            await output.WriteLineAsync($"{name} is revoked; no daemon is running, so nothing was open");
            return ExitCode.Done;
        }

        try
        {
            var reply = await new VpsLocal.VpsLocalClient(local.Channel).EndGatewayAsync(
                new EndGatewayRequest { Name = name },
                new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
            await output.WriteLineAsync($"{name} is revoked; connections ended: {reply.ConnectionsEnded}");
            return ExitCode.Done;
        }
        catch (RpcException e)
        {
            throw new CliException(
                $"{name} is revoked, but the daemon could not be told to end what it has open ({e.Status.StatusCode}: {e.Status.Detail}); restart it", inner: e);
        }
    }
}
