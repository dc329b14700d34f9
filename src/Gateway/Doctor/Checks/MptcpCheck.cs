using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What becomes of MPTCP on each path: asked of both ends of a connection over each link, as the speed test does it.</summary>
internal sealed class MptcpCheck : ICheck
{
    public string Id => "mptcp";

    public string Title => "MPTCP on each path";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Mptcp is not { } verifier)
        {
            return Finding.Skip("there is no VPS to ask", "pair one: `aggregator-vps pair` there, then `aggregator-gateway pair URI` here");
        }

        Link[] links = [.. context.UsableLinks];
        SpeedPath[] paths = [.. links.Select(l => SpeedPath.Of(l, context.VpsAddresses)).OfType<SpeedPath>()];
        // Without a daemon nothing leads a join's packets out of its own link: it would say nothing of the link.
        HashSet<string> joinable = context.Daemon is null ? [] : [.. links.Where(l => l.State != LinkState.Down).Select(l => l.Name)];
        var verdicts = await verifier.VerifyAsync(paths, p => joinable.Contains(p.Link), cancellationToken);
        return Finding.Join(verdicts.Select(v => Decide(v, context.Daemon?.Read().Links.FirstOrDefault(l => l.Name == v.Link), context.Config.Carrier)), "no link leads to the VPS");
    }

    /// <param name="status">What the daemon's own connections showed, where the question was not answered; null: nothing.</param>
    /// <param name="carrier">That of the flows: with `mptcp` a link without MPTCP is of no use beside others, with `trunk` it carries all the same.</param>
    internal static Finding Decide(PathVerdict verdict, LinkStatus? status, string carrier) => (verdict.Mptcp, status?.Mptcp) switch
    {
        (PathMptcp.V1, _) => Finding.Ok($"{verdict.Link}: MPTCPv1"),
        (PathMptcp.Stripped, _) => Stripped(verdict.Link, carrier, verdict.Text),
        (PathMptcp.Unsupported, _) => Finding.Fail($"{verdict.Link}: {verdict.Text}", "`sysctl net.mptcp.enabled=1` there; the kernel must be 6.1 or later"),
        (_, "v1") => Finding.Ok($"{verdict.Link}: MPTCPv1, by the daemon's own connections"),
        (_, "stripped") => Stripped(verdict.Link, carrier, "connections over it go on as plain TCP"),
        _ => Finding.Skip($"{verdict.Link}: not known ({verdict.Text})"),
    };

    private static Finding Stripped(string link, string carrier, string how)
    {
        string text = $"{link}: MPTCP is stripped on the way: {how}";
        string remedy = $"ask the provider of {link} what box is in the way, or take another line; a modem in bridge mode often helps";
        return carrier == "mptcp"
            ? Finding.Fail($"{text}; so this link carries nothing beside others", $"{remedy}; `carrier: trunk` uses the link all the same")
            : Finding.Warn($"{text}; it carries all the same, without a backup path", remedy);
    }
}
