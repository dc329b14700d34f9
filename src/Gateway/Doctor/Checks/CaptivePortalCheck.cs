using System.Net;
using System.Net.Sockets;
using Aggregator.Doctor;
using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;
using Aggregator.Protocol.V1;
using Grpc.Core;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>
/// A captive portal on a WAN. By default nobody but the VPS is asked: plain HTTP to its port 80 over each WAN, where normally nobody answers, or
/// the VPS's own web server, whose answer the VPS tells. Whatever else answers is a portal. With `probe.http` that URL is asked instead, which
/// answers 204 where there is no portal.
/// </summary>
internal sealed class CaptivePortalCheck : ICheck
{
    private const int NoContent = 204;

    public string Id => "captive-portal";

    public string Title => "No captive portal on a WAN";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Config.ProbeHttp is { } url)
        {
            return await AskUrlAsync(context, url, cancellationToken);
        }

        var asked = await Task.WhenAll(context.UsableLinks.Select(async link =>
        {
            var path = LinkHealth.PathOf(link, context.VpsAddresses)!;
            string host = HttpProbe.HostOf(path.Target.Address.ToString());
            return (Link: link, View: await PortalProbe.RunAsync(
                path, new IPEndPoint(path.Target.Address, HttpProbe.Port), host, HttpProbe.Path, context.Time, cancellationToken));
        }));
        HttpAnswer? own = null;
        bool ownKnown = false;
        if (asked.Any(a => a.View.Answer is not null))
        {
            (ownKnown, own) = await AskVpsAsync(context, asked.First(a => a.View.Answer is not null).Link, cancellationToken);
        }

        return Finding.Join(asked.Select(a => Decide(a.Link.Name, a.View, ownKnown, own)), "no link can reach the VPS");
    }

    /// <param name="link">Its name.</param>
    /// <param name="view">What was met at the VPS's port 80.</param>
    /// <param name="ownKnown">Whether the VPS said what its own web server answers.</param>
    /// <param name="own">That; null: it has none.</param>
    internal static Finding Decide(string link, PortalView view, bool ownKnown, HttpAnswer? own)
    {
        if (view.Answer is not { } answer)
        {
            return Finding.Ok($"{link}: none ({view.Problem} at the VPS's port 80)");
        }

        if (ownKnown)
        {
            return answer == own ? Finding.Ok($"{link}: none (the VPS's own web server answers)") : Portal(link, answer);
        }

        // A redirect to somewhere else, or RFC 6585's status for the purpose, is a portal's; a mere page may be the VPS's.
        return answer.Status is 302 or 303 or 307 or 511
            ? Portal(link, answer)
            : Finding.Skip($"{link}: a web server answers at the VPS's port 80 ({Text(answer)}); the VPS could not be asked whether it is its own", "run `doctor` again when the VPS is reached, or set `probe.http`");
    }

    /// <param name="link">Its name.</param>
    /// <param name="view">What the URL answered.</param>
    internal static Finding DecideUrl(string link, PortalView view) => view.Answer switch
    {
        null => Finding.Skip($"{link}: `probe.http` does not answer ({view.Problem})"),
        { Status: NoContent } => Finding.Ok($"{link}: none"),
        { } answer => Portal(link, answer),
    };

    private static async Task<Finding> AskUrlAsync(DoctorContext context, Uri url, CancellationToken cancellationToken)
    {
        IPAddress[] addresses;
        try
        {
            addresses = await Dns.GetHostAddressesAsync(url.DnsSafeHost, cancellationToken);
        }
        catch (SocketException e)
        {
            return Finding.Skip($"`probe.http` names {url.DnsSafeHost}: {Settings.Reason.Of(e)}", "check the name in `probe.http`");
        }

        var findings = await Task.WhenAll(context.UsableLinks.Select(async link =>
        {
            var path = LinkHealth.PathOf(link, context.VpsAddresses)!;
            return addresses.FirstOrDefault(a => a.AddressFamily == path.Source.AddressFamily) is { } address
                ? DecideUrl(link.Name, await PortalProbe.RunAsync(path, new IPEndPoint(address, url.Port), url.Authority, url.PathAndQuery, context.Time, cancellationToken))
                : Finding.Skip($"{link.Name}: {url.DnsSafeHost} has no address of its family");
        }));
        return Finding.Join(findings, "no link can reach the VPS");
    }

    private static async Task<(bool Known, HttpAnswer? Own)> AskVpsAsync(DoctorContext context, Link link, CancellationToken cancellationToken)
    {
        if (await context.Paths.AnyAsync(context, cancellationToken) is not { } vps)
        {
            return (false, null);
        }

        try
        {
            var reply = await vps.Client.FetchOwnWebAsync(
                new FetchOwnWebRequest { Host = context.Target(link)!.Address.ToString() }, new CallOptions(cancellationToken: cancellationToken));
            return (true, reply.HasStatus ? new HttpAnswer((int)reply.Status, reply.Location) : null);
        }
        catch (RpcException)
        {
            // Not known: the finding says so.
            return (false, null);
        }
    }

    private static Finding Portal(string link, HttpAnswer answer) => Finding.Fail(
        $"{link}: a captive portal answers plain HTTP in the place of others ({Text(answer)})",
        $"open a page such as http://neverssl.com over {link} once and log in there, or ask who runs that network; until then give it no traffic (`aggregator-gateway link {link} off`)");

    private static string Text(HttpAnswer answer) => answer.Location.Length > 0 ? $"status {answer.Status}, to {answer.Location}" : $"status {answer.Status}";
}
