using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>Sees to it that a connection to the VPS outlives the WAN on which it started.</summary>
internal interface IConnectionPaths
{
    /// <summary>From now until the socket is closed. Returns at once.</summary>
    void Keep(Socket socket, WanPath path);
}
