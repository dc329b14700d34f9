using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Relay;

namespace Aggregator.Gateway.Cli;

/// <summary>`run`: the daemon, in the foreground.</summary>
internal static class RunCommand
{
    internal static Command Create()
    {
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "run",
            "Runs the daemon in the foreground; it logs to standard error. SIGTERM ends it and takes back all that it changed on the host; SIGHUP reads the pairing anew.",
            $"{RootCommandFactory.Name} run --config /etc/aggregator/gateway.yaml")
        {
            config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            // System.CommandLine listens for SIGTERM only once the action has given it its task; until then a signal would be lost.
            await Task.Yield();
            InlineCompletions.PrepareProcess();
            await GatewayDaemon.RunAsync(GatewaySettings.Load(parsed.GetRequiredValue(config)), cancel);
            return ExitCode.Done;
        });
        return command;
    }
}
