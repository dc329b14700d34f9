using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Doctor;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Spectre.Console;

namespace Aggregator.Gateway.Cli;

/// <summary>`doctor`: the daemon's checks, or without a daemon those that need none.</summary>
internal static class DoctorCommand
{
    /// <summary>The checks' own limit, and the time to begin and to end.</summary>
    private static readonly TimeSpan Timeout = DoctorRun.Whole + TimeSpan.FromSeconds(2);

    internal static Command Create()
    {
        var json = Options.Json();
        var config = Options.Config(GatewayConfigFile.DefaultPath);
        var command = new ExampleCommand(
            "doctor",
            "Looks at everything that can be wrong, and says what is and what to do. Changes nothing and ends within 30 s. "
            + "It sends a thousand small packets over each link and fills up to three active links that answer within 300 ms, each for a second or two; "
            + "`link NAME off` keeps it off a metered one. "
            + "Only the VPS is asked, over each link that is not switched off, and `probe.http` if it is configured. It also works while the daemon does not run: "
            + "that is then one of the findings, and what only the daemon knows is skipped. Exit status 0: the report was made, whatever it says.",
            $"{RootCommandFactory.Name} doctor",
            $"{RootCommandFactory.Name} doctor --json")
        {
            json, config,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            string path = parsed.GetRequiredValue(config);
            var settings = GatewaySettings.Load(path);
            var output = parsed.InvocationConfiguration.Output;
            bool asJson = parsed.GetValue(json);
            var report = await ReportAsync(settings, Path.GetFullPath(path), !asJson && Terminal.IsInteractive, cancel);
            if (asJson)
            {
                await output.WriteLineAsync(JsonOutput.Format(report));
            }
            else
            {
                Screens.On(output).Write(DoctorTable.Draw(report));
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static async Task<DoctorReport> ReportAsync(GatewayConfig config, string path, bool live, CancellationToken cancellationToken)
    {
        using var local = await LocalClient.TryConnectAsync(config.Api, cancellationToken);
        if (!live)
        {
            return await RunAsync(local, config, path, _ => Task.CompletedTask, cancellationToken);
        }

        var waiting = DoctorDesk.Plan.Ids.ToList();
        int all = waiting.Count;
        return await AnsiConsole.Status().StartAsync("looking", status => RunAsync(
            local,
            config,
            path,
            check =>
            {
                waiting.Remove(check.Id);
                status.Status = $"{all - waiting.Count} of {all}: {string.Join(", ", waiting.Take(4))}".EscapeMarkup();
                return Task.CompletedTask;
            },
            cancellationToken));
    }

    private static Task<DoctorReport> RunAsync(
        LocalClient? local, GatewayConfig config, string path, Func<DoctorCheck, Task> done, CancellationToken cancellationToken) => local is null
            ? RunHereAsync(config, path, done, cancellationToken)
            : RunInDaemonAsync(new GatewayDoctor.GatewayDoctorClient(local.Channel), path, done, cancellationToken);

    private static async Task<DoctorReport> RunInDaemonAsync(
        GatewayDoctor.GatewayDoctorClient client, string path, Func<DoctorCheck, Task> done, CancellationToken cancellationToken)
    {
        using var call = client.Run(
            new DoctorRequest { ConfigPath = path },
            new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + Timeout, cancellationToken: cancellationToken));
        try
        {
            while (await call.ResponseStream.MoveNext(cancellationToken))
            {
                switch (call.ResponseStream.Current.KindCase)
                {
                    case DoctorEvent.KindOneofCase.Done:
                        await done(call.ResponseStream.Current.Done);
                        break;
                    case DoctorEvent.KindOneofCase.Report:
                        return call.ResponseStream.Current.Report;
                }
            }

            throw new CliException("the daemon ended without a report; look at its log");
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(
                e.StatusCode switch
                {
                    StatusCode.FailedPrecondition => e.Status.Detail,
                    StatusCode.Unimplemented => "the running daemon is older than this command; restart it",
                    _ => $"the daemon gave no report ({e.StatusCode}: {e.Status.Detail.ReplaceLineEndings(" ")}); look at its log",
                },
                inner: e);
        }
    }

    private static async Task<DoctorReport> RunHereAsync(GatewayConfig config, string path, Func<DoctorCheck, Task> done, CancellationToken cancellationToken)
    {
        try
        {
            // Only one that is there: to look is not to make anything.
            using var identity = File.Exists(Path.Combine(config.State, IdentityKey.FileName)) ? IdentityKey.LoadOrCreate(config.State) : null;
            using var desk = new DoctorDesk(config, identity, daemon: null, TimeProvider.System);
            return (await desk.TryRunAsync(path, done, cancellationToken))!;
        }
        catch (IOException e)
        {
            throw new CliException($"nothing can be looked at: {e.Message}; run this as root", inner: e);
        }
    }
}
