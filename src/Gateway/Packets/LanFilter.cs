using Aggregator.Packets;

namespace Aggregator.Gateway.Packets;

/// <summary>Only the LAN's own addresses send and are written to: a client that claims another's is stopped here, before the VPS has to.</summary>
internal sealed class LanFilter : IPacketFilter
{
    internal PrefixSet Own
    {
        get => Volatile.Read(ref field);
        set => Volatile.Write(ref field, value);
    } = PrefixSet.Empty;

    public bool AllowsOut(ReadOnlySpan<byte> packet, in PacketInfo info) => Own.Contains(PacketInfo.Source(packet));

    public bool AllowsIn(ReadOnlySpan<byte> packet, in PacketInfo info) => Own.Contains(PacketInfo.Destination(packet));
}
