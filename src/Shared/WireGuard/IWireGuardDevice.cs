namespace Aggregator.WireGuard;

/// <summary>
/// A WireGuard interface that lives as long as this object. Three backends: the Linux kernel (generic netlink), wireguard-go (UAPI socket),
/// Windows (WireGuardNT).
/// </summary>
internal interface IWireGuardDevice : IAsyncDisposable
{
    /// <summary>The interface.</summary>
    string Name { get; }

    /// <summary>As the status shows it: `kernel`, `wireguard-go` or `wireguard-nt`.</summary>
    string Backend { get; }

    /// <summary>Completes with the reason when the interface is gone without our doing (its program was killed).</summary>
    Task<string> Ended { get; }

    /// <summary>Changes what <paramref name="change"/> names and nothing else.</summary>
    /// <exception cref="IOException">It was refused, or there is nobody to ask; the message says why.</exception>
    Task ConfigureAsync(WireGuardChange change, CancellationToken cancellationToken);

    /// <summary>The peers at this moment.</summary>
    /// <exception cref="IOException">As above, or an answer that made no sense.</exception>
    Task<IReadOnlyList<WireGuardPeerState>> PeersAsync(CancellationToken cancellationToken);
}
