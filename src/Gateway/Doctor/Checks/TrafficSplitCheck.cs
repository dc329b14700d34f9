using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>How traffic was really split over the links in the last minute, by the interfaces' own counters.</summary>
internal sealed class TrafficSplitCheck : ICheck
{
    /// <summary>With less, what the probes and a web page did is all there is to see.</summary>
    internal const ulong LeastBytes = 25_000_000;

    /// <summary>A link with less of a busy minute carries nothing but its probes.</summary>
    internal const double IdleShare = 0.002;

    public string Id => "traffic-split";

    public string Title => "Traffic over the links in the last minute";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(context.Daemon is { } daemon
        ? Decide(context.Links, daemon.Traffic)
        : Finding.Skip("the daemon is not running: nothing was carried"));

    internal static Finding Decide(LinkSnapshot links, TrafficWindow traffic)
    {
        double received = traffic.Links.Sum(l => (double)l.RxBytes);
        double sent = traffic.Links.Sum(l => (double)l.TxBytes);
        if (traffic.Length <= TimeSpan.Zero || received + sent == 0)
        {
            return Finding.Skip("nothing went over the links");
        }

        string split = $"in {Texts.Duration(traffic.Length)}: received {Texts.Bytes(received)} ({Shares(traffic, l => l.RxBytes, received)}), "
            + $"sent {Texts.Bytes(sent)} ({Shares(traffic, l => l.TxBytes, sent)})";
        string[] idle = received + sent < LeastBytes
            ? []
            : [.. traffic.Links.Where(l => (l.RxBytes + l.TxBytes) / (received + sent) < IdleShare && IsToCarry(links.Find(l.Link))).Select(l => l.Link)];
        return idle.Length == 0
            ? Finding.Ok(split)
            : Finding.Warn(
                $"{Texts.List(idle)} carried next to nothing of a busy minute although up and active; {split}",
                "look at the checks of this link above (MPTCP, loss); one single slow flow may also leave a link idle");
    }

    private static bool IsToCarry(Link? link) => link is { Role: Configuration.LinkRole.Active, State: LinkState.Up };

    private static string Shares(TrafficWindow traffic, Func<LinkTraffic, ulong> of, double total) =>
        Texts.List(traffic.Links.Select(l => $"{l.Link} {Texts.Percent(total == 0 ? 0 : of(l) / total)}"));
}
