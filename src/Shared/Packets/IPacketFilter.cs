namespace Aggregator.Packets;

/// <summary>Who may write to whom.</summary>
internal interface IPacketFilter
{
    /// <summary>A packet that the host wants to send through the path. One thread at a time.</summary>
    bool AllowsOut(ReadOnlySpan<byte> packet, in PacketInfo info);

    /// <summary>A packet that came over the path. One thread at a time.</summary>
    bool AllowsIn(ReadOnlySpan<byte> packet, in PacketInfo info);
}
