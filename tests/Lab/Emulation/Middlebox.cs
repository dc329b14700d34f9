using System.Buffers.Binary;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// A box that meddles with MPTCP: it overwrites TCP options of kind 30 with NOPs, as real ones do, and mends the checksum.
/// Looks at unfragmented TCP over IPv4 and over IPv6 without extension headers; leaves everything else, and what is malformed, alone.
/// </summary>
internal static class Middlebox
{
    private const int EthernetHeader = 14;
    private const ushort EtherTypeIPv4 = 0x0800;
    private const ushort EtherTypeIPv6 = 0x86dd;
    private const byte ProtocolTcp = 6;
    private const byte FlagSyn = 0x02;
    private const byte FlagAck = 0x10;

    private const byte OptionEnd = 0;
    private const byte OptionNop = 1;
    private const byte OptionMptcp = 30;

    /// <summary>The high nibble of the third byte: the subtypes of RFC 8684 section 8.</summary>
    private const int SubtypeCapable = 0;
    private const int SubtypeJoin = 1;

    internal enum Verdict
    {
        Pass,
        Stripped,
        Drop,
    }

    /// <param name="frame">A whole Ethernet frame; its options may be overwritten.</param>
    /// <param name="up">From the client to the server.</param>
    internal static Verdict Handle(Span<byte> frame, MptcpInterference interference, bool up)
    {
        var tcp = FindTcp(frame);
        if (tcp.IsEmpty)
        {
            return Verdict.Pass;
        }

        int headerLength = (tcp[12] >> 4) * 4;
        if (headerLength <= 20 || headerLength > tcp.Length)
        {
            return Verdict.Pass;
        }

        byte flags = tcp[13];
        bool syn = (flags & FlagSyn) != 0;
        var stripsAll = (syn, ack: (flags & FlagAck) != 0) switch
        {
            (true, false) => MptcpInterference.StripSyn,
            (true, true) => MptcpInterference.StripSynAck,
            _ => up ? MptcpInterference.StripDataUp : MptcpInterference.StripDataDown,
        };
        bool everything = (interference & stripsAll) != 0;

        var verdict = Verdict.Pass;
        for (int at = 20; at < headerLength;)
        {
            byte kind = tcp[at];
            if (kind == OptionEnd)
            {
                break;
            }

            if (kind == OptionNop)
            {
                at++;
                continue;
            }

            if (at + 1 >= headerLength)
            {
                break;
            }

            int length = tcp[at + 1];
            if (length < 2 || at + length > headerLength)
            {
                break;
            }

            if (kind == OptionMptcp && length >= 3)
            {
                int subtype = tcp[at + 2] >> 4;
                if (syn && ((subtype == SubtypeJoin && interference.HasFlag(MptcpInterference.DropJoinSyn))
                    || (subtype == SubtypeCapable && interference.HasFlag(MptcpInterference.DropCapableSyn))))
                {
                    return Verdict.Drop;
                }

                if (everything || (subtype == SubtypeJoin && interference.HasFlag(MptcpInterference.StripJoin)))
                {
                    Erase(tcp, at, length);
                    verdict = Verdict.Stripped;
                }
            }

            at += length;
        }

        return verdict;
    }

    /// <summary>The TCP header and what follows, or nothing.</summary>
    private static Span<byte> FindTcp(Span<byte> frame)
    {
        if (frame.Length < EthernetHeader + 40)
        {
            return default;
        }

        var packet = frame[EthernetHeader..];
        switch (BinaryPrimitives.ReadUInt16BigEndian(frame[12..]))
        {
            case EtherTypeIPv4 when packet[0] >> 4 == 4:
                int headerLength = (packet[0] & 15) * 4;
                int totalLength = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
                bool fragment = (BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) & 0x3fff) != 0;
                return headerLength >= 20 && !fragment && packet[9] == ProtocolTcp && totalLength <= packet.Length && totalLength >= headerLength + 20
                    ? packet[headerLength..totalLength]
                    : default;

            case EtherTypeIPv6 when packet[0] >> 4 == 6:
                int end = 40 + BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
                return packet[6] == ProtocolTcp && end <= packet.Length && end >= 60 ? packet[40..end] : default;

            default:
                return default;
        }
    }

    /// <summary>Makes the option NOPs and mends the checksum by the difference (RFC 1624, equation 3).</summary>
    private static void Erase(Span<byte> tcp, int at, int length)
    {
        uint sum = (ushort)~BinaryPrimitives.ReadUInt16BigEndian(tcp[16..]);
        for (int i = at; i < at + length; i++)
        {
            int shift = (i & 1) == 0 ? 8 : 0;
            sum += (ushort)~(tcp[i] << shift) + (uint)(OptionNop << shift);
            tcp[i] = OptionNop;
        }

        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~sum);
    }
}
