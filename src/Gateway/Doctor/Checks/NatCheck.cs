using System.Net;
using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>
/// The NAT on each WAN: mapping and filtering after RFC 5780, as far as one address of the VPS with two temporary UDP ports shows them. What
/// would take a second address (address-dependent against endpoint-independent) is said to be open.
/// </summary>
internal sealed class NatCheck : ICheck
{
    /// <summary>RFC 6598: between a provider's NAT and its customers.</summary>
    private static readonly IPNetwork CarrierGrade = IPNetwork.Parse("100.64.0.0/10");

    public string Id => "nat";

    public string Title => "NAT of each WAN";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var answers = await context.Paths.AllAsync(context, cancellationToken);
        var (echo, problem) = await context.Paths.EchoAsync(context, cancellationToken);
        var findings = await Task.WhenAll(answers.Select(async a =>
        {
            if (LinkHealth.PathOf(a.Link, context.VpsAddresses) is not { } path || a.Answer.View is not { } view)
            {
                return Finding.Skip($"{a.Link.Name}: not known ({a.Answer.Problem})");
            }

            if (echo is null)
            {
                return Decide(a.Link.Name, view, null, problem);
            }

            try
            {
                return Decide(
                    a.Link.Name,
                    view,
                    await NatProbe.RunAsync(path, echo.Token.Memory, (int)echo.FirstPort, (int)echo.SecondPort, context.Time, cancellationToken),
                    null);
            }
            catch (System.Net.Sockets.SocketException e)
            {
                return Decide(a.Link.Name, view, null, Settings.Reason.Of(e));
            }
        }));
        return Finding.Join(findings, "no link can reach the VPS");
    }

    /// <param name="link">Its name.</param>
    /// <param name="tcp">What the VPS sees of a TCP connection.</param>
    /// <param name="udp">What its two UDP ports saw; null: could not be asked.</param>
    /// <param name="problem">Why not.</param>
    internal static Finding Decide(string link, PathView tcp, NatView? udp, string? problem)
    {
        bool translated = !tcp.Seen.Address.Equals(tcp.Local.Address) || (udp?.First is { } u && !u.Address.Equals(udp.Local.Address));
        string carrier = CarrierGrade.Contains(tcp.Local.Address) ? ", carrier-grade (RFC 6598)" : "";
        if (udp is not { First: { } first, Second: { } second })
        {
            string why = problem ?? (udp?.First is null
                ? "UDP to the VPS is not answered: a firewall on the line or at the VPS"
                : "the VPS's second UDP port is not answered");
            return translated
                ? Finding.Skip($"{link}: address translation to {tcp.Seen.Address}{carrier}, TCP port {Port(tcp.Local, tcp.Seen)}; its type is not known ({why})")
                : Finding.Ok($"{link}: no address translation, {tcp.Seen.Address}; filtering is not known ({why})");
        }

        if (first.Port != second.Port || !first.Address.Equals(second.Address))
        {
            return Finding.Warn(
                $"{link}: symmetric NAT (address-and-port-dependent mapping, RFC 4787){carrier}: {udp.Local} is seen as {first} and as {second}",
                $"nothing for what goes through the VPS; games, calls and VPNs that go over {link} directly cannot be called back: prefer other links for these, or ask the provider for a public address");
        }

        string filtering = udp.AnswerFromOtherPort switch
        {
            true => "answers from another port come in (endpoint-independent or address-dependent filtering)",
            false => "only those that were written to may answer (address-and-port-dependent filtering)",
            null => "filtering not known",
        };
        return translated
            ? Finding.Ok($"{link}: {(udp.AnswerFromOtherPort == false ? "port-restricted " : "")}NAT to {first.Address}{carrier}, port {Port(udp.Local, first)}, the same for two ports of the VPS (endpoint-independent or address-dependent mapping: one address of the VPS cannot tell); {filtering}")
            : Finding.Ok($"{link}: no NAT, {first.Address}; {filtering}");
    }

    private static string Port(IPEndPoint local, IPEndPoint seen) => local.Port == seen.Port ? "kept" : "changed";
}
