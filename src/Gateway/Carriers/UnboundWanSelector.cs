using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>Binds nothing and lets the host's routes decide: for a host where no WAN is known by name.</summary>
internal sealed class UnboundWanSelector : IWanSelector
{
    public bool TryPick(AddressFamily family, ReadOnlySpan<WanPath> tried, out WanPath path)
    {
        path = default;
        return !tried.Contains(path);
    }

    public bool IsUsable(in WanPath path) => true;
}
