using Aggregator.Packets;

namespace Aggregator.Datagrams;

/// <summary>
/// Real-time packets over the UDP lanes while one of these is well, and larger packets of other flows too while no stream fills the trunk (the lines then are the
/// trunk's to share out); TCP, everything else, and all of it otherwise, over the trunk.
/// </summary>
/// <param name="lanes">Null: there are none at this moment.</param>
/// <param name="trunk">Null: likewise.</param>
internal sealed class RealTimePath(Func<UdpLanes?> lanes, Func<IPacketPath?> trunk) : IPacketPath
{
    public bool IsOpen => trunk() is { IsOpen: true } || lanes() is { IsWell: true };

    public bool IsBusy => trunk() is { IsBusy: true };

    public void Send(in Packet packet, in PacketFlow flow)
    {
        if (flow.Class != PacketClass.RealTime && packet.Info.Protocol != PacketInfo.Tcp && !IsBusy && lanes() is { } wide && wide.TryQueue(packet, flow))
        {
            return;
        }

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

    public void Flush()
    {
        lanes()?.Flush();
        trunk()?.Flush();
    }
}
