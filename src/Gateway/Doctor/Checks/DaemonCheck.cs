using Aggregator.Cli;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether there is a daemon at all.</summary>
internal sealed class DaemonCheck : ICheck
{
    public string Id => "daemon";

    public string Title => "The daemon is running";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(context.Daemon is { } daemon
        ? Finding.Ok($"it runs, version {ProductVersion.Text}, since {Texts.Duration(TimeSpan.FromSeconds(daemon.Status.UptimeS))}")
        : Finding.Fail(
            $"the daemon is not running (nobody answers on {context.Config.Api}): nothing is carried, and what only it knows could not be checked",
            "start it: `systemctl start aggregator-gateway`, or `aggregator-gateway run`; its log says why it ended"));
}
