namespace Aggregator.Packets;

/// <summary>Who may write to whom.</summary>
internal interface IPacketFilter
{
    /// <summary>A packet that the host wants to send through the path. One thread at a time.</summary>
    bool AllowsOut(ReadOnlySpan<byte> packet, in PacketInfo info);

    /// <summary>A packet that came over the path. One thread at a time.</summary>
    bool AllowsIn(ReadOnlySpan<byte> packet, in PacketInfo info);

    /// <summary>Whether the sender of a packet that was just refused by <see cref="AllowsIn"/> is to be told so. Not those who lie about who they are.</summary>
    bool TellsRefusal(ReadOnlySpan<byte> packet) => false;
}
