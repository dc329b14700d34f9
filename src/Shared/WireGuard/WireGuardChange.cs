using System.Collections.Immutable;
using System.Net;

namespace Aggregator.WireGuard;

/// <summary>A change to a device.</summary>
/// <param name="PrivateKey">Null: as it is.</param>
/// <param name="ListenPort">Null: as it is.</param>
/// <param name="ReplacePeers">Peers that are not named here go.</param>
/// <param name="Peers">Those to add, change or remove.</param>
internal sealed record WireGuardChange(WireGuardKey? PrivateKey, ushort? ListenPort, bool ReplacePeers, ImmutableArray<WireGuardPeer> Peers);

/// <summary>Somebody on the other side.</summary>
/// <param name="PublicKey">Whose.</param>
/// <param name="AllowedAddresses">What he sends from and is sent to; in place of what was allowed before.</param>
internal sealed record WireGuardPeer(WireGuardKey PublicKey, ImmutableArray<IPNetwork> AllowedAddresses)
{
    /// <summary>He goes; the rest does not count.</summary>
    internal bool Remove { get; init; }

    /// <summary>Null: learned from his first packet.</summary>
    internal IPEndPoint? EndPoint { get; init; }

    /// <summary>Seconds; null: none.</summary>
    internal ushort? KeepAliveS { get; init; }
}

/// <summary>What a device tells of a peer.</summary>
/// <param name="EndPoint">Where he was last; null: never seen.</param>
/// <param name="LastHandshake">Null: never.</param>
/// <param name="RxBytes">From him.</param>
/// <param name="TxBytes">To him.</param>
internal sealed record WireGuardPeerState(WireGuardKey PublicKey, IPEndPoint? EndPoint, DateTimeOffset? LastHandshake, ulong RxBytes, ulong TxBytes);
