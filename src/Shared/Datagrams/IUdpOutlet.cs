namespace Aggregator.Datagrams;

/// <summary>Where a lane's datagrams leave: a WAN's socket at the gateway, the port and the gateway's present address at the VPS.</summary>
internal interface IUdpOutlet
{
    /// <summary>Never waits, and never throws for what a network does: what cannot go is lost, as datagrams are.</summary>
    void Send(ReadOnlySpan<byte> datagram);

    /// <summary>The longest datagram that the host's own word on the way allows (its interface, ICMP); 0: it has none.</summary>
    int LongestBytes { get; }
}
