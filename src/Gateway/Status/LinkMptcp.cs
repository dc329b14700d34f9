using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Status;

/// <summary>
/// What the live connections show of MPTCP on a link: `v1` where a subflow of an MPTCP connection is established over it, `stripped` where every
/// connection over it went on as plain TCP, `unknown` where nothing was seen. A verification (<see cref="Speed.MptcpWatch"/>) knows better: a box that takes
/// the options out of one direction, or out of joins only, is not seen here.
/// </summary>
internal static class LinkMptcp
{
    internal static string Verdict(Link link, CarrierSample sample)
    {
        int plain = link.Addresses.Sum(a => sample.FellBackFrom.GetValueOrDefault(a.Address));
        int all = link.Addresses.Sum(a => sample.Established.GetValueOrDefault(a.Address));
        return all > plain ? "v1" : plain > 0 ? "stripped" : "unknown";
    }
}
