using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>Says over which WAN the next connection to the VPS starts. Implemented by the links' room; called from any thread, must not wait.</summary>
internal interface IWanSelector
{
    /// <summary>
    /// Picks a WAN that is up, has an address of <paramref name="family"/> and is not among <paramref name="tried"/> (those on which this very dial has failed already).
    /// Spreading connections over WANs is the selector's affair: it is asked once an attempt.
    /// </summary>
    bool TryPick(AddressFamily family, ReadOnlySpan<WanPath> tried, out WanPath path);

    /// <summary>Whether a ready connection that started on <paramref name="path"/> is worth handing out: false once that WAN is down or has lost the address.</summary>
    bool IsUsable(in WanPath path);

    /// <summary>
    /// Whether a small request over such a connection is about as quick as it could be now. False where its first subflow is on a WAN that is much slower
    /// than another, or whose queue is being filled: the sender prefers the first subflow while nothing waits on it, whatever its round trip.
    /// </summary>
    bool IsQuick(in WanPath path) => true;
}
