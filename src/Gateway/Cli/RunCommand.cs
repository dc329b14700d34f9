using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;

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
            await GatewayDaemon.RunAsync(GatewaySettings.Load(parsed.GetRequiredValue(config)), cancel);
            return ExitCode.Done;
        });
        return command;
    }
}
