using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Health;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Configuration;
using Grpc.Core;

namespace Aggregator.Vps.Cli;

/// <summary>`health`: asks the daemon and, where none runs, looks for itself.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Between the two looks that rates are made of when no daemon runs.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    internal static Command Create()
    {
        var json = Options.Json();
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "health",
            "Shows memory, swap, pressure and limits of this host, and advice. Asks the daemon; where none runs, it measures by itself for a second "
                + "(and `process` is null). Exit status: 0 for ok and warn, 1 for critical, with the reason on standard error.",
            $"{RootCommandFactory.Name} health",
            $"{RootCommandFactory.Name} health --json")
        {
            json, config,
        };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetRequiredValue(config), parsed.GetValue(json), parsed.InvocationConfiguration.Output, cancel));
        return command;
    }

    private static async Task<int> RunAsync(string configPath, bool json, TextWriter output, CancellationToken cancellationToken)
    {
        var report = await AskAsync(configPath, cancellationToken) ?? await MeasureAsync(new HostFiles(), TimeProvider.System, cancellationToken);
        if (json)
        {
            await output.WriteLineAsync(JsonOutput.Format(report));
        }
        else
        {
            await output.WriteAsync(HealthTable.Draw(report));
        }

        return report.Level == HealthReport.Name(HealthLevel.Critical)
            ? throw new CliException($"health is critical: {HealthText.WhyCritical(report)}")
            : ExitCode.Done;
    }

    /// <returns>Null: no daemon that could be asked.</returns>
    private static async Task<VpsHealth?> AskAsync(string configPath, CancellationToken cancellationToken)
    {
        // Before `init` there is no configuration, and a host may be looked at all the same.
        if (configPath == VpsConfigFile.DefaultPath && !File.Exists(configPath))
        {
            return null;
        }

        using var local = await LocalClient.TryConnectAsync(VpsSettings.Load(configPath).Api, cancellationToken);
        if (local is null)
        {
            return null;
        }

        try
        {
            return await new VpsHealthLocal.VpsHealthLocalClient(local.Channel).GetHealthAsync(
                new HealthRequest(),
                new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated or StatusCode.Unavailable)
        {
            // It was started by an older version that does not know the question, or ends at this moment.
            return null;
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException($"the daemon does not answer ({e.StatusCode}: {e.Status.Detail}); look at its log", inner: e);
        }
    }

    internal static async Task<VpsHealth> MeasureAsync(HostFiles files, TimeProvider time, CancellationToken cancellationToken)
    {
        var first = HealthSample.Read(files, time, withProcess: false);
        await Task.Delay(BetweenLooks, time, cancellationToken);
        var second = HealthSample.Read(files, time, withProcess: false);
        return HealthReport.Of(new HealthPicture(second, HealthRates.Between(first, second, time)));
    }
}
