using System.Buffers.Binary;
using Aggregator.Packets;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Packets;

public sealed class UdpMergerTests
{
    [Fact]
    public void What_is_cut_again_is_what_went_in() => Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), ArbMap.Default.ArbFor<bool>(), (kinds, isV6) =>
    {
        var merger = new UdpMerger();
        var sink = new Cutter();
        var sent = new List<byte[]>();
        ushort id = 100;
        foreach (int kind in kinds)
        {
            // Mostly alike; now and then a shorter one, another flow, a small one, or a wrong checksum.
            int payload = (kind & 7) == 0 ? 600 : (kind & 7) == 1 ? 40 : 1000;
            byte[] packet = Udp(isV6, (ushort)((kind & 24) == 24 ? 9 : 8), payload, id++, (byte)kind);
            if ((kind & 0x60) == 0x60)
            {
                packet[isV6 ? 46 : 26] ^= 1;
            }

            sent.Add(packet);
            merger.Add(packet, default, sink);
        }

        merger.Flush(sink);
        return sink.Packets.Count == sent.Count && sink.Packets.Zip(sent).All(p => p.First.AsSpan().SequenceEqual(p.Second));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Packets_of_one_flow_become_one()
    {
        var merger = new UdpMerger();
        var sink = new Cutter();
        for (int i = 0; i < 60; i++)
        {
            merger.Add(Udp(false, 8, 1400, (ushort)i, (byte)i), default, sink);
        }

        merger.Flush(sink);
        sink.Packets.Count.ShouldBe(60);
        sink.Calls.ShouldBe(2, "64 KiB hold 46 of them");
    }

    private static byte[] Udp(bool isV6, ushort port, int payload, ushort id, byte fill)
    {
        int header = isV6 ? 40 : 20;
        byte[] packet = new byte[header + 8 + payload];
        if (isV6)
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)(8 + payload));
            (packet[6], packet[7], packet[23], packet[39]) = (17, 64, 1, 2);
        }
        else
        {
            packet[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), id);
            (packet[8], packet[9], packet[12], packet[15], packet[16], packet[19]) = (64, 17, 10, 1, 10, 2);
            Checksum.WriteV4Header(packet);
        }

        var transport = packet.AsSpan(header);
        transport[8..].Fill(fill);
        BinaryPrimitives.WriteUInt16BigEndian(transport, 5000);
        BinaryPrimitives.WriteUInt16BigEndian(transport[2..], port);
        BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)transport.Length);
        PacketInfo.TryRead(packet, out var info).ShouldBeTrue();
        Checksum.WritePartial(packet, info);
        Checksum.Complete(packet, info);
        return packet;
    }
}
