using Aggregator.Packets;
using Shouldly;

namespace Aggregator.Shared.Tests.Packets;

/// <summary>Does with a super-packet what a kernel does before the wire.</summary>
internal sealed class Cutter : IPacketSink
{
    internal List<byte[]> Packets { get; } = [];

    internal int Calls { get; private set; }

    public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta)
    {
        Calls++;
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        meta.Fits(info).ShouldBeTrue();
        for (int i = 0, count = SuperPacket.Segments(info, meta); i < count; i++)
        {
            byte[] part = new byte[PacketInfo.MaxBytes];
            int length = packet.Length;
            var partMeta = meta;
            if (count == 1)
            {
                packet.CopyTo(part);
            }
            else
            {
                (partMeta, length) = SuperPacket.WritePart(packet, info, meta, i, 1, part);
            }

            part = part[..length];
            PacketInfo.TryRead(part, out var partInfo).ShouldBeTrue();
            if (partMeta.IsPartial)
            {
                Checksum.Complete(part, partInfo);
            }

            Packets.Add(part);
        }
    }
}
