using System.Net;
using System.Net.NetworkInformation;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>An entry of the ARP or neighbour discovery table (RTM_NEWNEIGH).</summary>
/// <param name="Mac">None while the neighbour has not answered.</param>
internal sealed record NeighbourInfo(int InterfaceIndex, IPAddress Address, PhysicalAddress Mac)
{
    /// <summary>Null with true: not of IP.</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out NeighbourInfo? neighbour)
    {
        neighbour = null;
        if (!message.TryRead(out Libc.ndmsg header, out NetlinkAttributes attributes))
        {
            return false;
        }

        if (header.ndm_family is not (Libc.AF_INET or Libc.AF_INET6))
        {
            return true;
        }

        bool good = true;
        IPAddress? address = null;
        var mac = PhysicalAddress.None;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.NDA_DST:
                    good &= attribute.TryReadAddress(out address);
                    break;
                case Libc.NDA_LLADDR:
                    mac = new PhysicalAddress(attribute.Value.ToArray());
                    break;
            }
        }

        if (!good || attributes.Malformed || address is null)
        {
            return false;
        }

        neighbour = new NeighbourInfo(header.ndm_ifindex, address, mac);
        return true;
    }
}
