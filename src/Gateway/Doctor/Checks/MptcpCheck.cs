using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What becomes of MPTCP on each path, as the daemon's own connections show it.</summary>
internal sealed class MptcpCheck : ICheck
{
    /// <summary>A subflow over a satellite, with a lost SYN or two, is there by then.</summary>
    private static readonly TimeSpan JoinTime = TimeSpan.FromSeconds(8);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    public string Id => "mptcp";

    public string Title => "MPTCP on each path";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Daemon is not { } daemon)
        {
            return Finding.Skip("the daemon is not running: there are no connections to look at");
        }

        long began = context.Time.GetTimestamp();
        while (true)
        {
            GatewayStatus status = daemon.Read();
            LinkStatus[] links = [.. status.Links.Where(l => l.Role != "off")];
            bool late = context.Time.GetElapsedTime(began) > JoinTime;
            if (late || links.All(l => l.Mptcp != "unknown"))
            {
                return Finding.Join(links.Select(l => Decide(l, status.Carrier, late && links.Any(o => o.Name != l.Name && o.Mptcp == "v1"))), "there is no link");
            }

            await Task.Delay(Poll, context.Time, cancellationToken);
        }
    }

    /// <param name="link">As the status has it: v1, stripped, unsupported or unknown.</param>
    /// <param name="carrier">That of the flows: with `mptcp` a link without MPTCP is of no use beside others, with `trunk` it carries all the same.</param>
    /// <param name="expected">MPTCP connections are there since long enough that this link should have joined them.</param>
    internal static Finding Decide(LinkStatus link, string carrier, bool expected) => link.Mptcp switch
    {
        "v1" => Finding.Ok($"{link.Name}: MPTCPv1"),
        "stripped" => Stripped(link.Name, carrier, "connections over it go on as plain TCP"),
        "unsupported" => Finding.Fail($"{link.Name}: the VPS does not speak MPTCP", "on the VPS: `sysctl net.mptcp.enabled=1`; its kernel must be 6.1 or later"),
        _ when expected && link is { State: not "down", HasSubflows: true, Subflows: 0 } => Stripped(link.Name, carrier, "it is up, and none of the connections over other links gets a subflow over it"),
        _ => Finding.Skip($"{link.Name}: not known, no connection has used it lately"),
    };

    private static Finding Stripped(string link, string carrier, string how)
    {
        string text = $"{link}: MPTCP is stripped: {how}; something on the way takes its options out";
        string remedy = $"ask the provider of {link} what box is in the way, or take another line; a modem in bridge mode often helps";
        return carrier == "mptcp"
            ? Finding.Fail($"{text}, so this link carries nothing beside others", $"{remedy}; `carrier: trunk` uses the link all the same")
            : Finding.Warn($"{text}; it carries all the same, as plain TCP and without a backup path", remedy);
    }
}
