namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What becomes of MPTCP on each path.</summary>
internal sealed class MptcpCheck : ICheck
{
    public string Id => "mptcp";

    public string Title => "MPTCP on each path";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => Task.FromResult(context.Daemon is { } daemon
        ? Finding.Join(daemon.Status.Links.Where(l => l.Role != "off").Select(l => Decide(l.Name, l.Mptcp)), "there is no link")
        : Finding.Skip("the daemon is not running: there are no connections to look at"));

    /// <param name="link">Its name.</param>
    /// <param name="mptcp">As the status has it: v1, stripped, unsupported or unknown.</param>
    internal static Finding Decide(string link, string mptcp) => mptcp switch
    {
        "v1" => Finding.Ok($"{link}: MPTCPv1"),
        "stripped" => Finding.Fail(
            $"{link}: MPTCP is stripped: something on the way takes its options out, so this link carries nothing beside others",
            $"ask the provider of {link} what box is in the way, or take another line; a modem in bridge mode often helps"),
        "unsupported" => Finding.Fail($"{link}: the VPS does not speak MPTCP", "on the VPS: `sysctl net.mptcp.enabled=1`; its kernel must be 6.1 or later"),
        _ => Finding.Skip($"{link}: not known, no connection has used it lately"),
    };
}
