namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Each link alone, up and down.</summary>
internal sealed class SpeedCheck : ICheck
{
    public string Id => "link-speed";

    public string Title => "Each link alone, down and up";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(
        Finding.Skip("no speed test was run yet", "run `aggregator-gateway speedtest`"));
}
