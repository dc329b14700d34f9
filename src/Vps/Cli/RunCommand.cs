using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Vps.Configuration;
using Aggregator.Relay;

namespace Aggregator.Vps.Cli;

/// <summary>`run`: the daemon, in the foreground.</summary>
internal static class RunCommand
{
    internal static Command Create()
    {
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new Command("run", "Runs the daemon in the foreground; logs to standard error. SIGTERM ends it, SIGHUP reads the configuration anew.")
        {
            config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            // System.CommandLine listens for SIGTERM only once the action has given it its task; until then a signal would be lost.
            await Task.Yield();
            InlineCompletions.PrepareProcess();
            await VpsDaemon.RunAsync(parsed.GetRequiredValue(config), cancel);
            return ExitCode.Done;
        });
        return command;
    }
}
