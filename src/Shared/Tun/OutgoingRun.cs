using Aggregator.Packets;

namespace Aggregator.Tun;

/// <summary>
/// Small packets of one UDP flow that were read right after each other become one super-packet on their way out, so that the trunk's frames, the other end's
/// kernel and its rules deal with one in place of dozens. Others go as they are, in their place. One thread at a time; allocates nothing in steady state.
/// </summary>
internal sealed class OutgoingRun : IPacketSink
{
    /// <summary>Larger ones may take the UDP lanes, where each is a datagram of its own.</summary>
    private const int MostBytes = 300;

    private readonly UdpMerger _merger = new();
    private IPacketPath? _path;
    private PacketFlow _flow;

    /// <summary>Real-time packets wait for no other; and who cares when a single one arrives is seldom one of many.</summary>
    internal static bool Takes(in Packet packet, in PacketFlow flow) =>
        packet.Length <= MostBytes && packet.Info.Protocol == PacketInfo.Udp && flow.Class != PacketClass.RealTime;

    /// <summary>Takes the packet in; it goes with the next ones, or with <see cref="Flush"/>.</summary>
    internal void Add(in Packet packet, in PacketFlow flow, IPacketPath path)
    {
        if (flow != _flow || path != _path)
        {
            Flush();
            (_flow, _path) = (flow, path);
        }

        _merger.Add(packet.Bytes, packet.Meta, this);
    }

    /// <summary>Sends what is left.</summary>
    internal void Flush() => _merger.Flush(this);

    void IPacketSink.Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta)
    {
        byte[] buffer = PacketPool.Shared.Rent(packet.Length);
        packet.CopyTo(buffer);
        if (!PacketInfo.TryRead(buffer.AsSpan(0, packet.Length), out var info))
        {
            throw new InvalidOperationException("merged packets are no packet");
        }

        _path!.Send(new Packet(buffer, 0, info, meta), _flow);
    }
}
