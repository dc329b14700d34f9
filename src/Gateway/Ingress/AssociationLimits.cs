namespace Aggregator.Gateway.Ingress;

/// <summary>Every bound of SOCKS5's UDP in one place.</summary>
internal sealed record AssociationLimits
{
    internal static AssociationLimits Default { get; } = new();

    /// <summary>At once, of all clients; each holds up to three sockets with <see cref="SocketBytes"/> of queue each way.</summary>
    internal int MaxAssociations { get; init; } = 1024;

    /// <summary>Of one client, so that one cannot take all places; a browser or a game has a handful.</summary>
    internal int MaxOfClient { get; init; } = 128;

    /// <summary>What the kernel may hold for a socket, in and out: 100 ms at 20 Mbit/s. What finds no room is dropped, as UDP is.</summary>
    internal int SocketBytes { get; init; } = 256 * 1024;

    /// <summary>Without a datagram in either direction. RFC 4787, REQ-5, asks a NAT for 2 minutes and recommends 5.</summary>
    internal TimeSpan Idle { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Names whose addresses an association keeps, the oldest giving way: a name must not change its address in the middle of a session.</summary>
    internal int MaxNames { get; init; } = 64;

    /// <summary>Datagrams that wait for their name's address, and the bytes in all of them; the oldest is dropped first.</summary>
    internal int MaxWaiting { get; init; } = 32;

    internal int MaxWaitingBytes { get; init; } = 64 * 1024;

    /// <summary>A name without an address is asked for again after this time.</summary>
    internal TimeSpan KeepFailure { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Datagrams taken from a socket before others have their turn.</summary>
    internal int Batch { get; init; } = 64;
}
