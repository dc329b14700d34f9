using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Memory, swap, processor and limits of the VPS, as it reports them itself.</summary>
internal sealed class VpsHealthCheck : ICheck
{
    public string Id => "vps-health";

    public string Title => "The VPS has what it needs";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(Decide(context.Daemon?.Status.Vps));

    /// <param name="health">Null: not reported.</param>
    internal static Finding Decide(VpsHealth? health) => health switch
    {
        null => Finding.Skip("the VPS has not reported its health", "run `aggregator-vps health` on the VPS"),
        { Findings.Count: 0 } => Finding.Ok(Figures(health)),
        _ => Finding.Join(
            health.Findings.Select(f => f.Level == "critical" ? Finding.Fail(f.Text, f.Remedy) : Finding.Warn(f.Text, f.Remedy)).Append(Finding.Ok(Figures(health))), ""),
    };

    private static string Figures(VpsHealth health)
    {
        var figures = new List<string>();
        if (health.Memory is { HasTotalBytes: true, HasAvailableBytes: true } memory)
        {
            figures.Add($"{Texts.Bytes(memory.AvailableBytes)} of {Texts.Bytes(memory.TotalBytes)} memory available");
        }

        if (health.Swap is { HasTotalBytes: true, HasUsedBytes: true } swap)
        {
            figures.Add(swap.TotalBytes == 0 ? "no swap" : $"{Texts.Bytes(swap.UsedBytes)} of {Texts.Bytes(swap.TotalBytes)} swap used");
        }

        if (health.HasLoad1 && health.HasCpus)
        {
            figures.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"load {health.Load1:0.##} on {health.Cpus} processors"));
        }

        return figures.Count > 0 ? Texts.List(figures) : "it reports nothing wrong";
    }
}
