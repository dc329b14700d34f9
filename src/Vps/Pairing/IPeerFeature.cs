using System.Net;
using Aggregator.Identity;

namespace Aggregator.Vps.Pairing;

/// <summary>Who is at the other end of a connection that came through the port (HttpContext.Features).</summary>
internal interface IPeerFeature
{
    /// <summary>The key that the peer proved to have.</summary>
    KeyPin Pin { get; }

    IPAddress Address { get; }

    /// <summary>Null: nobody we know; it may only pair. Looked up at each call, so that pairing and revoking show at once.</summary>
    PairedGateway? Gateway { get; }
}
