using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Ingress;

/// <summary>How clients' single datagrams leave. The seam to the packet path, which a test without a VPS has not.</summary>
internal interface IDatagramWay
{
    /// <summary>Makes the way ready if nobody has needed it before, which takes the VPS's answer.</summary>
    ValueTask<DatagramWayState> PrepareAsync(CancellationToken cancellationToken);

    /// <summary>A UDP socket whose datagrams go through the VPS, bound. Throws <see cref="SocketException"/> where there is no such way at the moment.</summary>
    Socket Open(AddressFamily family);

    /// <summary>An address of the name as the VPS sees it; null: it has none, or nobody answered.</summary>
    Task<IPAddress?> FindAsync(string name, CancellationToken cancellationToken);
}

internal enum DatagramWayState
{
    Ready,

    /// <summary>No VPS is reached at the moment.</summary>
    Away,

    /// <summary>This host or this VPS takes no packets.</summary>
    Unavailable,
}
