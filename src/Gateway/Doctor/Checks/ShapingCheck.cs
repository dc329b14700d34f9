using Aggregator.Netlink;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>A rate limit that this host itself puts on an interface.</summary>
/// <param name="Mbps">Of the bytes that `tc` counts: Ethernet frames.</param>
internal sealed record Shaper(string Interface, string Kind, double Mbps);

/// <summary>Traffic shaping on this host, compared with what each link was measured to do.</summary>
internal sealed class ShapingCheck : ICheck
{
    /// <summary>A link that reaches this share of its shaper's rate is limited by it.</summary>
    private const double AtLimit = 0.85;

    public string Id => "shaping";

    public string Title => "Traffic shaping on this host";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var shapers = Shapers(context.Host);
        var findings = new List<Finding>();
        foreach (var shaper in shapers)
        {
            if (context.Links.Links.FirstOrDefault(l => l.Interface == shaper.Interface) is { } link)
            {
                findings.Add(Decide(link.Name, shaper, context.Speeds.GetValueOrDefault(link.Name)?.UpMbps));
            }
            else if (context.Config.Lan.Contains(shaper.Interface) || context.Host.Interface(shaper.Interface)?.Kind == "ifb")
            {
                // The LAN's sending, and what is redirected to an ifb, is what comes down the lines.
                findings.Add(Finding.Warn(
                    $"{shaper.Interface} is limited to {Texts.Mbps(shaper.Mbps)} by {shaper.Kind}: no download is faster",
                    $"see `tc -s qdisc show dev {shaper.Interface}`; if it is not meant so, `tc qdisc del dev {shaper.Interface} root`"));
            }
        }

        return Task.FromResult(findings.Count > 0 ? Finding.Join(findings, "") : Finding.Ok("no interface of the LAN or a WAN is limited by `tc`"));
    }

    /// <param name="link">Its name.</param>
    /// <param name="shaper">On its interface.</param>
    /// <param name="upMbps">What the last speed test sent over it; null: none known.</param>
    internal static Finding Decide(string link, Shaper shaper, double? upMbps)
    {
        string limited = $"{link}: {shaper.Kind} on {shaper.Interface} limits sending to {Texts.Mbps(shaper.Mbps)}";
        string compare = $"compare with and without: `tc qdisc del dev {shaper.Interface} root`, then `aggregator-gateway speedtest --link {link} --up`";
        return upMbps switch
        {
            null => Finding.Warn($"{limited}; no speed test says what it does to the line", compare),
            { } up when up < shaper.Mbps * AtLimit => Finding.Ok($"{limited}; the line itself does less ({Texts.Mbps(up)})"),
            { } up => Finding.Warn($"{limited}; the last speed test sent {Texts.Mbps(up)}, so this is what limits it", compare),
        };
    }

    /// <summary>The narrowest of each interface and kind: of a tree of HTB classes the widest class is what the whole gets.</summary>
    internal static IReadOnlyList<Shaper> Shapers(HostView host) =>
    [
        .. host.Qdiscs
            .Where(q => q.BytesPerSecond is not null && host.Interface(q.InterfaceIndex) is not null)
            .GroupBy(q => (q.InterfaceIndex, q.Kind))
            .Select(g => new Shaper(host.Interface(g.Key.InterfaceIndex)!.Name, g.Key.Kind, ToMbps(Whole(g.Key.Kind, g)))),
    ];

    private static ulong Whole(string kind, IEnumerable<QdiscInfo> group) => kind == "htb"
        ? group.Max(q => q.BytesPerSecond!.Value)
        : group.Min(q => q.BytesPerSecond!.Value);

    private static double ToMbps(ulong bytesPerSecond) => bytesPerSecond * 8 / 1e6;
}
