namespace Aggregator.Packets;

/// <summary>
/// A way to the other end for IP packets: the trunk's datagrams, or something beside them. One thread sends at a time; packets of
/// a flow arrive in the order in which they were sent, as far as the way can promise it. What cannot go soon is dropped: packets are not kept.
/// </summary>
internal interface IPacketPath
{
    /// <summary>Whether a packet that is sent now has a chance.</summary>
    bool IsOpen { get; }

    /// <summary>Streams beside the packets ask for more than there is, or did a moment ago.</summary>
    bool IsBusy { get; }

    /// <summary>Takes the packet and owns its buffer from then on. It may wait for <see cref="Flush"/>.</summary>
    void Send(in Packet packet, in PacketFlow flow);

    /// <summary>Ends a batch: what was sent goes now.</summary>
    void Flush();
}

/// <summary>Where a path delivers packets that came for us. Called by one thread at a time.</summary>
internal interface IPacketSink
{
    /// <summary>A whole packet or super-packet. Nothing of it has been checked but its length: its sender may lie in every byte.</summary>
    /// <param name="packet">Valid during the call.</param>
    void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta);
}
