using Aggregator.Cli;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether both sides are of one version.</summary>
internal sealed class VersionsCheck : ICheck
{
    public string Id => "versions";

    public string Title => "Both sides have the same version";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var answers = (await context.Paths.AllAsync(context, cancellationToken)).Select(a => a.Answer).ToArray();
        string? version = answers.Select(a => a.View?.Version).OfType<string>().FirstOrDefault()
            ?? (context.Daemon?.Status.Node is { HasVersion: true } node ? node.Version : null);
        return Decide(ProductVersion.Text, version, answers.Any(a => a.TooOld));
    }

    /// <param name="own">This gateway's.</param>
    /// <param name="vps">Null: not known.</param>
    /// <param name="tooOld">The VPS does not know the doctor's questions.</param>
    internal static Finding Decide(string own, string? vps, bool tooOld) => (vps, tooOld) switch
    {
        (_, true) => Finding.Warn($"this gateway is {own}; the VPS{(vps is null ? "" : $", {vps},")} does not know the doctor's questions: it is too old", "update the VPS"),
        (null, _) => Finding.Skip($"this gateway is {own}; the VPS's version is not known"),
        _ when vps == own => Finding.Ok($"both are {own}"),
        _ => Finding.Warn($"this gateway is {own}, the VPS {vps}", "update the older of the two"),
    };
}
