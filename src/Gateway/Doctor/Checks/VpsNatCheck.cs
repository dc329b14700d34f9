using System.Net.Sockets;
using Aggregator.Gateway.Doctor.Probes;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>What translation the LAN's UDP meets at the VPS, in the terms of RFC 4787, by measurement; games and calls ask the same question.</summary>
internal sealed class VpsNatCheck : ICheck
{
    public string Id => "vps-nat";

    public string Title => "NAT that the LAN's UDP meets at the VPS";

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        if (context.Packets is not { } path || context.Daemon?.Status.Packets is not { State: "on" } packets)
        {
            return Finding.Skip("packets are not carried at this moment");
        }

        var (echo, problem) = await context.Paths.EchoAsync(context, cancellationToken);
        if (echo is null)
        {
            return Finding.Skip($"not known ({problem})");
        }

        NatWitness[] all = [.. context.UsableLinks.Select(l => (l.Name, Path: LinkHealth.PathOf(l, context.VpsAddresses))).Where(w => w.Path is not null).Select(w => new NatWitness(w.Name, w.Path!))];

        // Of one family; IPv4 is the one that is translated everywhere.
        var family = all.Any(w => w.Path.Source.AddressFamily == AddressFamily.InterNetwork) ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        try
        {
            var view = await new VpsNatProbe(echo.Token.Memory, (int)echo.FirstPort, context.Time)
                .RunAsync([.. all.Where(w => w.Path.Source.AddressFamily == family)], path.OpenWatched, cancellationToken);
            return Decide(view, packets.Nat);
        }
        catch (SocketException e)
        {
            return Finding.Skip($"not known ({Settings.Reason.Of(e)})");
        }
    }

    /// <param name="view">Null: no WAN could be used as a witness.</param>
    /// <param name="claim">What the VPS says of itself.</param>
    internal static Finding Decide(VpsNatView? view, string claim)
    {
        string says = $"; the VPS says: {claim}";
        if (view is null)
        {
            return Finding.Skip($"not known: over no link does the VPS's UDP echo answer{says}");
        }

        if (view.Seen is not [{ Seen: { } first } one, ..])
        {
            return Finding.Skip(
                $"not known: what is sent through the VPS to {string.Join(" and ", view.Seen.Select(s => $"{s.Link} ({s.Public.Address})"))} does not arrive there; a NAT on the line lets nothing in, or the VPS's rules refuse that address (`egress.allow`){says}");
        }

        string mapping = view.Seen is not [_, { Seen: { } second } other] ? "mapping not known (one witness only was reached)"
            : !first.Equals(second) ? $"address- or port-dependent mapping, a symmetric NAT: seen as {first} from {one.Link} and as {second} from {other.Link}"
            : one.Public.Address.Equals(other.Public.Address) ? $"the same mapping for two ports of one address ({first}): endpoint-independent or address-dependent"
            : $"endpoint-independent mapping ({first} from {one.Link} and from {other.Link})";
        string port = first.Port == view.Local.Port ? "port kept" : "port changed";
        string filtering = (view.FromOtherAddress, view.FromOtherPort) switch
        {
            (true, _) => "endpoint-independent filtering",
            (false, true) => "address-dependent filtering",
            (null, true) => "endpoint-independent or address-dependent filtering",
            (_, false) => "address- and port-dependent filtering: only those that were written to may answer",
            _ => "filtering not known",
        };
        string text = $"measured: {mapping}, {port}; {filtering}";
        return view.Seen is [_, { Seen: { } there }] && !there.Equals(first)
            ? Finding.Warn(text, "games and calls between homes need relays; see whether a firewall of the VPS translates once more (`nft list ruleset`, `random` or `fully-random` in a masquerade)")
            : Finding.Ok(text);
    }
}
