using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>One WAN and no other, in the families that it has: for a connection that is that WAN's own.</summary>
/// <param name="current">The WAN at this moment; null: there is none of this name.</param>
internal sealed class SingleWanSelector(Func<Wan?> current) : IWanSelector
{
    public bool TryPick(AddressFamily family, ReadOnlySpan<WanPath> tried, out WanPath path)
    {
        Wan? wan = current();
        IPAddress? address = wan is { IsUsable: true } ? wan.Address(family) : null;
        path = address is null ? default : new WanPath(wan!.Interface, address);
        return address is not null && !tried.Contains(path);
    }

    public bool IsUsable(in WanPath path) =>
        current() is { IsUsable: true } wan && wan.Interface == path.Interface && (path.Source is null || wan.Has(path.Source));
}
