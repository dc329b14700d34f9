using System.Net;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Speed;

/// <summary>One link as a way to the VPS.</summary>
/// <param name="Index">The interface's.</param>
/// <param name="Source">The address that connections over it start from.</param>
/// <param name="Vps">Where the VPS is, in the family that the link has.</param>
internal sealed record SpeedPath(string Link, string Interface, int Index, IPAddress Source, IPEndPoint Vps)
{
    /// <summary>Null: the link has no address of a family in which the VPS is known, or no way out for it.</summary>
    internal static SpeedPath? Of(Link link, IEnumerable<IPEndPoint> vps)
    {
        foreach (var target in vps)
        {
            if (link.Address(target.AddressFamily) is { } source && link.NextHop(target.AddressFamily) is not null)
            {
                return new SpeedPath(link.Name, link.Interface, link.Index, source, target);
            }
        }

        return null;
    }
}
