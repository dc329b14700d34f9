namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Whether this gateway is paired, and its VPS answers.</summary>
internal sealed class VpsCheck : ICheck
{
    private const string Steps = "on the VPS: `aggregator-vps status`, and whether its provider's firewall lets the port in";

    public string Id => "vps";

    public string Title => "The VPS is reached";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Node is not { } node)
        {
            return context.NodeProblem is { } problem
                ? Finding.Fail(problem, "pair this gateway again: `aggregator-vps pair` on the VPS, its line to `aggregator-gateway pair`")
                : Finding.Fail("this gateway is not paired with a VPS", "run `aggregator-vps pair` on the VPS and give its line to `aggregator-gateway pair`");
        }

        if (context.Daemon is { } daemon)
        {
            return Decide(node.Address, daemon);
        }

        if (context.VpsAddresses.IsEmpty)
        {
            return Finding.Fail(context.NodeProblem ?? $"{node.Address} has no address", "check the name and this host's DNS");
        }

        var answers = await context.Paths.AllAsync(context, cancellationToken);
        return answers.Any(a => a.Answer.View is not null || a.Answer.TooOld)
            ? Finding.Ok($"{node.Address} answers over {Texts.List(answers.Where(a => a.Answer.View is not null || a.Answer.TooOld).Select(a => a.Link.Name))}")
            : Finding.Fail(
                answers.Count == 0
                    ? "no link can reach it"
                    : $"{node.Address} answers over no link ({Texts.List(answers.Select(a => $"{a.Link.Name}: {a.Answer.Problem}"))})",
                Steps);
    }

    internal static Finding Decide(string address, DaemonState daemon)
    {
        var node = daemon.Status.Node;
        if (node.State == "connected")
        {
            return Finding.Ok($"connected to {address}" + (node.HasRttMs ? $", {Texts.Milliseconds(node.RttMs)} away" : ""));
        }

        string since = daemon.SinceContact is { } silent ? $"; it last answered {Texts.Duration(silent)} ago" : "; it has not answered since the daemon started";
        return Finding.Fail($"{address} is {node.State}" + (node.HasReason ? $" ({node.Reason})" : "") + since, Steps);
    }
}
