using System.Collections.Immutable;
using Aggregator.Packets;

namespace Aggregator.Gateway.Packets;

/// <summary>Only the LAN's own addresses send and are written to: a client that claims another's is stopped here, before the VPS has to.</summary>
internal sealed class LanFilter : IPacketFilter
{
    private ImmutableArray<PacketWatch> _watches = [];

    internal PrefixSet Own
    {
        get => Volatile.Read(ref field);
        set => Volatile.Write(ref field, value);
    } = PrefixSet.Empty;

    public bool AllowsOut(ReadOnlySpan<byte> packet, in PacketInfo info) => Own.Contains(PacketInfo.Source(packet));

    public bool AllowsIn(ReadOnlySpan<byte> packet, in PacketInfo info)
    {
        if (!Own.Contains(PacketInfo.Destination(packet)))
        {
            return false;
        }

        foreach (var watch in _watches)
        {
            watch.See(packet, info);
        }

        return true;
    }

    internal void Change(Func<ImmutableArray<PacketWatch>, ImmutableArray<PacketWatch>> change) => ImmutableInterlocked.Update(ref _watches, change);
}
