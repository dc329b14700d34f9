using Aggregator.Packets;

namespace Aggregator.Datagrams;

/// <summary>Real-time packets over the UDP lanes while one of these is well, everything else, and they too otherwise, over the trunk.</summary>
/// <param name="lanes">Null: there are none at this moment.</param>
/// <param name="trunk">Null: likewise.</param>
internal sealed class RealTimePath(Func<UdpLanes?> lanes, Func<IPacketPath?> trunk) : IPacketPath
{
    public bool IsOpen => trunk() is { IsOpen: true } || lanes() is { IsWell: true };

    public void Send(in Packet packet, in PacketFlow flow)
    {
        if (flow.Class == PacketClass.RealTime && lanes() is { } udp && udp.TrySend(packet, flow))
        {
            packet.Return();
            return;
        }

        if (trunk() is { } path)
        {
            path.Send(packet, flow);
            return;
        }

        packet.Return();
    }

    public void Flush() => trunk()?.Flush();
}
