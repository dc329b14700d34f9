using System.Buffers.Binary;
using System.Text;

namespace Aggregator.Gateway.Links;

internal enum DnsVerdict
{
    /// <summary>No answer to this question: another number, another name, cut short, or no DNS at all.</summary>
    NotOurs,

    /// <summary>It names at least one public address.</summary>
    Answer,

    /// <summary>It names addresses, and all are private, loopback or the like: a portal's way to get everybody.</summary>
    Lie,

    /// <summary>An error, or no address.</summary>
    Refusal,
}

/// <summary>One question for an IPv4 address (RFC 1035 section 4), and what may be thought of the answer. Takes any bytes.</summary>
internal static class DnsQuestion
{
    /// <summary>RFC 1035 section 4.2.1: without EDNS no answer is longer.</summary>
    internal const int MaxAnswerBytes = 512;

    private const int HeaderBytes = 12;
    private const ushort RecursionDesired = 0x0100;
    private const ushort IsResponse = 0x8000;
    private const ushort ErrorMask = 0x000F;
    private const ushort TypeA = 1;
    private const ushort ClassInternet = 1;

    /// <param name="name">Labels of letters, digits, dashes and underscores, checked by the configuration.</param>
    internal static byte[] Write(ushort id, string name)
    {
        var packet = new List<byte>(HeaderBytes + name.Length + 6);
        packet.AddRange([(byte)(id >> 8), (byte)id, RecursionDesired >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        foreach (string label in name.Split('.'))
        {
            packet.Add((byte)label.Length);
            packet.AddRange(Encoding.ASCII.GetBytes(label));
        }

        packet.AddRange([0, 0, (byte)TypeA, 0, (byte)ClassInternet]);
        return [.. packet];
    }

    internal static DnsVerdict Judge(ReadOnlySpan<byte> question, ReadOnlySpan<byte> answer)
    {
        // Number and question must come back as they were sent.
        if (answer.Length < question.Length || !answer[..2].SequenceEqual(question[..2])
            || BinaryPrimitives.ReadUInt16BigEndian(answer[4..]) != 1
            || !Ascii.EqualsIgnoreCase(answer[HeaderBytes..question.Length], question[HeaderBytes..]))
        {
            return DnsVerdict.NotOurs;
        }

        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(answer[2..]);
        if ((flags & IsResponse) == 0)
        {
            return DnsVerdict.NotOurs;
        }

        if ((flags & ErrorMask) != 0)
        {
            return DnsVerdict.Refusal;
        }

        int records = BinaryPrimitives.ReadUInt16BigEndian(answer[6..]);
        int at = question.Length;
        bool any = false;
        for (int i = 0; i < records; i++)
        {
            if (!TrySkipName(answer, ref at) || at + 10 > answer.Length)
            {
                break;
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(answer[at..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(answer[(at + 8)..]);
            at += 10;
            if (at + length > answer.Length)
            {
                break;
            }

            if (type == TypeA && length == 4)
            {
                any = true;
                if (IsPublic(answer.Slice(at, 4)))
                {
                    return DnsVerdict.Answer;
                }
            }

            at += length;
        }

        return any ? DnsVerdict.Lie : DnsVerdict.Refusal;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> packet, ref int at)
    {
        while (at < packet.Length)
        {
            int length = packet[at];
            switch (length & 0xC0)
            {
                case 0xC0:
                    at += 2;
                    return at <= packet.Length;
                case 0 when length == 0:
                    at++;
                    return true;
                case 0:
                    at += 1 + length;
                    break;
                default:
                    return false;
            }
        }

        return false;
    }

    /// <summary>Not of RFC 6890's special ranges.</summary>
    private static bool IsPublic(ReadOnlySpan<byte> a) => !(
        a[0] is 0 or 10 or 127 or >= 224
        || (a[0] == 100 && (a[1] & 0xC0) == 64)
        || (a[0] == 169 && a[1] == 254)
        || (a[0] == 172 && (a[1] & 0xF0) == 16)
        || (a[0] == 192 && a[1] == 168)
        || (a[0] == 198 && (a[1] & 0xFE) == 18));
}
