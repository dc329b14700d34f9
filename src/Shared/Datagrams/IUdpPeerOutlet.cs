using System.Net;

namespace Aggregator.Datagrams;

/// <summary>At the VPS.</summary>
internal interface IUdpPeerOutlet : IUdpOutlet
{
    /// <summary>Whom it sends to.</summary>
    SocketAddress Address { get; }
}
