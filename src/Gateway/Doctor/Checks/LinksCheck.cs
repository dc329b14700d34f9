using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether each link is up.</summary>
internal sealed class LinksCheck : ICheck
{
    public string Id => "links";

    public string Title => "Each link is up";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        foreach (var link in context.Links.Links)
        {
            findings.Add(context.Daemon is null && context.Target(link) is not null
                ? Asked(link, await context.Paths.OfAsync(context, link, cancellationToken))
                : Decide(link));
        }

        return Finding.Join(findings, "there is no link: no interface has a default route, and `wans` names none");
    }

    /// <summary>As the daemon's probes have it.</summary>
    internal static Finding Decide(Link link) => link switch
    {
        { Role: LinkRole.Off } => Finding.Skip($"{link.Name} is switched off"),
        { State: LinkState.Down } => Finding.Fail(
            $"{link.Name} is down ({link.Reason})", $"look at the modem and the cable of {link.Name} ({link.Interface}), and at its provider"),
        { State: LinkState.Degraded } => Finding.Warn(
            $"{link.Name} is degraded ({link.Reason})", $"look at the modem of {link.Name} ({link.Interface}), its signal and its provider"),
        _ => Finding.Ok($"{link.Name} is up" + (link.RttMs is { } rtt ? $", {Texts.Milliseconds(rtt)}" : "")),
    };

    private static Finding Asked(Link link, PathAnswer answer) => answer switch
    {
        { View: { } view } => Finding.Ok($"the VPS answers over {link.Name} in {Texts.Duration(view.RoundTrip)}"),
        { TooOld: true } => Finding.Ok($"the VPS answers over {link.Name}"),
        _ => Finding.Fail($"{link.Name} does not reach the VPS ({answer.Problem})", $"look at the modem and the cable of {link.Name} ({link.Interface}), and at its provider"),
    };
}
