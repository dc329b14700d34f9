namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Memory, processor and limits of the VPS.</summary>
internal sealed class VpsHealthCheck : ICheck
{
    public string Id => "vps-health";

    public string Title => "The VPS has what it needs";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) =>
        Task.FromResult(Finding.Skip("the VPS has not reported its health", "run `aggregator-vps health` on the VPS"));
}
