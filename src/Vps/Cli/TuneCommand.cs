using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Health;
using Aggregator.Host;
using Aggregator.Hosting;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Apply;
using Aggregator.Vps.Configuration;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Vps.Cli;

/// <summary>`tune`: the host's lasting settings, sized by its memory. Shows them, sets them, takes them back.</summary>
internal static class TuneCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    internal static Command Create()
    {
        var apply = new Option<bool>("--apply") { Description = "Set them, and keep them over restarts" };
        var undo = new Option<bool>("--undo") { Description = "Put back what was there before the first --apply" };
        var file = new Option<string>("--sysctl-file")
        {
            Description = "Where they are kept for the next start of the host", HelpName = "FILE", DefaultValueFactory = _ => HostTuning.DefaultFile,
        };
        var json = Options.Json();
        var config = Options.Config(VpsConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "tune",
            "Shows the kernel settings that suit a VPS with this host's memory: the value now, the new one, and why. Changes nothing unless told to.",
            $"{RootCommandFactory.Name} tune",
            $"{RootCommandFactory.Name} tune --apply",
            $"{RootCommandFactory.Name} tune --undo")
        {
            apply, undo, file, json, config,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(apply) && result.GetValue(undo))
            {
                result.AddError("--apply and --undo: one at a time");
            }
        });
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetRequiredValue(config), parsed.GetRequiredValue(file), parsed.GetValue(apply), parsed.GetValue(undo), parsed.GetValue(json),
            parsed.InvocationConfiguration.Output, cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        string configPath, string file, bool apply, bool undo, bool json, TextWriter output, CancellationToken cancellationToken)
    {
        // A host may be looked at before `init`.
        var config = configPath == VpsConfigFile.DefaultPath && !File.Exists(configPath) ? new VpsConfig() : VpsSettings.Load(configPath);
        var files = new SysctlFiles();
        var facts = Facts(files, new HostFiles());
        var plan = TunePlan.For(facts);
        using var local = await LocalClient.TryConnectAsync(config.Api, cancellationToken);
        using var instance = local is null && (apply || undo) ? await WithoutDaemonAsync(config, cancellationToken) : null;
        var daemon = local is null ? DaemonSettings.None : await AskAsync(local, cancellationToken);
        var journal = TuneJournal.Open(config.State);
        var tuning = new HostTuning(journal, files, file, daemon);
        IReadOnlyList<string> problems = undo ? await tuning.UndoAsync() : [];
        var results = apply ? await tuning.ApplyAsync(plan) : tuning.Look(plan);
        var report = TuneTable.Report(facts.MemoryBytes, results, file, journal.Entries.Count > 0);
        await output.WriteAsync(json ? JsonOutput.Format(report) + "\n" : TuneTable.Draw(report, apply, undo));
        problems = [.. problems, .. results.Where(r => r.State == TuneState.Failed).Select(r => $"{r.Item.Setting.Name} = {r.Value}: {r.Problem}")];
        return problems.Count == 0 ? ExitCode.Done : throw new CliException(string.Join("; ", problems));
    }

    private static TuneFacts Facts(SysctlFiles files, HostFiles host)
    {
        var memory = MemoryFigures.Read(host);
        if (memory.TotalBytes is not { } total)
        {
            throw new CliException("this host does not tell how much memory it has (/proc/meminfo), so nothing can be fitted to it");
        }

        return new TuneFacts(
            total,
            memory.HostTotalBytes ?? total,
            Environment.SystemPageSize,
            SwapFigures.Parse(host.Read("/proc/meminfo"), null).TotalBytes > 0,
            files.Read(SysctlName.Of("net.ipv4.tcp_available_congestion_control"))?.Split(' ').Contains("bbr") == true);
    }

    /// <summary>Keeps a daemon from starting meanwhile, and puts back what one that was killed left, so that it is not taken for the host's own.</summary>
    private static async Task<InstanceLock> WithoutDaemonAsync(VpsConfig config, CancellationToken cancellationToken)
    {
        var instance = InstanceLock.TryTake(config.State)
            ?? throw new CliException($"the daemon of {config.State} starts or ends at this moment; try again");
        try
        {
            var journal = HostJournal.Open(config.State);
            if (!journal.IsEmpty)
            {
                await new HostSettings(journal, NullLogger.Instance).RestoreAsync(cancellationToken);
            }

            return instance;
        }
        catch
        {
            instance.Dispose();
            throw;
        }
    }

    private static async Task<DaemonSettings> AskAsync(LocalClient local, CancellationToken cancellationToken)
    {
        var status = await CallAsync(options => new VpsLocal.VpsLocalClient(local.Channel).GetStatusAsync(new StatusRequest(), options).ResponseAsync, cancellationToken);
        var tune = new VpsTuneLocal.VpsTuneLocalClient(local.Channel);
        return new DaemonSettings(
            // Names without an interface in them, so a dot is always a separator.
            status.HostSettings.Where(s => s.HasBefore && s.Name.StartsWith("net.", StringComparison.Ordinal))
                .ToDictionary(s => SysctlName.Of(s.Name).Path, s => s.Before, StringComparer.Ordinal),
            // Also with nothing in it: what was good enough for the daemon may have been taken from it just now.
            originals => CallAsync(
                options => tune.RebaseAsync(new RebaseRequest { Originals = { originals.ToDictionary() } }, options).ResponseAsync, cancellationToken));
    }

    private static async Task<T> CallAsync<T>(Func<CallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call(new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated)
        {
            throw new CliException("the running daemon is older than this command; restart it, and run this again", inner: e);
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException($"the daemon does not answer ({e.StatusCode}: {e.Status.Detail}); look at its log", inner: e);
        }
    }
}
