namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What the daemon itself complains of in its status; of the VPS's health <see cref="VpsHealthCheck"/> tells.</summary>
internal sealed class WarningsCheck : ICheck
{
    public string Id => "warnings";

    /// <summary>Codes under which the status passes on the VPS's own findings.</summary>
    private const string OfVpsHealth = "vps-";

    public string Title => "The daemon's own warnings";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(context.Daemon is { } daemon
        ? daemon.Status.Warnings.Where(w => !w.Code.StartsWith(OfVpsHealth, StringComparison.Ordinal)).ToArray() is { Length: > 0 } own
            ? Finding.Join(own.Select(w => Finding.Warn($"{w.Text} ({w.Code})", "see `aggregator-gateway status` and the daemon's log")), "")
            : Finding.Ok("none")
        : Finding.Skip("the daemon is not running"));
}
