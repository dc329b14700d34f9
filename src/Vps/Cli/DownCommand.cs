using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Host;
using Aggregator.Hosting;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Configuration;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Vps.Cli;

/// <summary>`down`: puts back what a daemon that was killed left changed. One that ends in good order does it itself.</summary>
internal static class DownCommand
{
    internal static Command Create()
    {
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new Command("down", "Puts the host's settings back to what they were before the first start.")
        {
            config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            VpsSettings.Load(parsed.GetRequiredValue(config)), parsed.InvocationConfiguration.Output, cancel));
        return command;
    }

    private static async Task<int> RunAsync(VpsConfig config, TextWriter output, CancellationToken cancellationToken)
    {
        using var instance = InstanceLock.TryTake(config.State)
            ?? throw new CliException($"the daemon of {config.State} is running; stop it, and it puts everything back itself");
        var journal = HostJournal.Open(config.State);
        if (journal.IsEmpty)
        {
            await output.WriteLineAsync("nothing to put back");
            return ExitCode.Done;
        }

        var host = new HostSettings(journal, NullLogger.Instance);
        await new PacketNetwork(journal, host).RemoveAsync(cancellationToken);
        await host.RestoreAsync(cancellationToken);
        if (host.Problems.Count > 0)
        {
            throw new CliException(string.Join("; ", host.Problems) + "; run this as root in the daemon's network namespace");
        }

        await output.WriteLineAsync("the host's settings are as they were");
        return ExitCode.Done;
    }
}
