namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What the daemon itself complains of in its status.</summary>
internal sealed class WarningsCheck : ICheck
{
    public string Id => "warnings";

    public string Title => "The daemon's own warnings";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(context.Daemon is { } daemon
        ? daemon.Status.Warnings.Count == 0
            ? Finding.Ok("none")
            : Finding.Join(daemon.Status.Warnings.Select(w => Finding.Warn($"{w.Text} ({w.Code})", "see `aggregator-gateway status` and the daemon's log")), "")
        : Finding.Skip("the daemon is not running"));
}
