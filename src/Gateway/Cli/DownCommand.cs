using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Apply;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Policy;
using Aggregator.Hosting;
using Aggregator.Protocol.V1;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Gateway.Cli;

/// <summary>`down`: ends a running daemon and takes back everything that any ever changed on this host.</summary>
internal static class DownCommand
{
    /// <summary>A daemon ends its flows and takes everything back within a few seconds.</summary>
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    internal static Command Create()
    {
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "down",
            "Removes every route, rule, table, endpoint and setting that the gateway ever made, also after a crash. Ends the daemon if it runs.",
            $"sudo {RootCommandFactory.Name} down")
        {
            config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            GatewaySettings.Load(parsed.GetRequiredValue(config)), parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancel));
        return command;
    }

    private static async Task<int> RunAsync(GatewayConfig config, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        bool ended = await EndDaemonAsync(config, cancellationToken);
        using InstanceLock instance = await TakeLockAsync(config, cancellationToken);
        using NamespaceLock? alone = NamespaceLock.TryTake(RootCommandFactory.Name);
        if (alone is null)
        {
            throw new CliException($"an {RootCommandFactory.Name} with another `state` manages this host's network; run `down` with its configuration");
        }

        CleanUpOutcome outcome;
        try
        {
            outcome = await HostController.CleanUpAsync(config.State, NullLogger.Instance, cancellationToken);
        }
        catch (IOException e)
        {
            throw new CliException($"the host's network cannot be put back: {e.Message}; run this as root", inner: e);
        }

        foreach (HostWarning warning in outcome.Warnings)
        {
            await error.WriteLineAsync($"{RootCommandFactory.Name}: {warning.Text}");
        }

        await output.WriteLineAsync((ended, outcome.Done.Count) switch
        {
            (true, _) => "the daemon has ended; the host is as it was before",
            (false, 0) => "nothing of the gateway's is left on this host",
            (false, var count) => $"the host is as it was before ({count} things taken back)",
        });
        return outcome.Warnings.Count == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static async Task<bool> EndDaemonAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        using var local = await LocalClient.TryConnectAsync(config.Api, cancellationToken);
        if (local is null)
        {
            return false;
        }

        await LocalCall.RunAsync(
            options => new GatewayLocal.GatewayLocalClient(local.Channel).ShutdownAsync(new ShutdownRequest(), options).ResponseAsync, cancellationToken);
        return true;
    }

    /// <summary>The kernel frees the lock when the daemon is gone, however it went.</summary>
    private static async Task<InstanceLock> TakeLockAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (true)
        {
            if (InstanceLock.TryTake(config.State) is { } instance)
            {
                return instance;
            }

            if (TimeProvider.System.GetElapsedTime(began) > EndTimeout)
            {
                throw new CliException($"a daemon with the state {config.State} runs and does not end; stop it, then run `down` again");
            }

            await Task.Delay(Poll, TimeProvider.System, cancellationToken);
        }
    }
}
