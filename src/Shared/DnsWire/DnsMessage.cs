using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Aggregator.DnsWire;

/// <summary>
/// DNS messages as bytes (RFC 1035 section 4, RFC 6891 for EDNS): as much of them as a forwarder must understand. Every method takes any bytes.
/// </summary>
internal static class DnsMessage
{
    internal const int HeaderBytes = 12;

    /// <summary>RFC 1035 section 4.2.1: what every client takes over UDP.</summary>
    internal const int ClassicUdpBytes = 512;

    /// <summary>Two bytes tell the length over TCP (RFC 1035 section 4.2.2).</summary>
    internal const int MaxBytes = ushort.MaxValue;

    internal const ushort TypeA = 1;
    internal const ushort TypeAaaa = 28;
    internal const ushort ClassInternet = 1;

    /// <summary>What passes any path in one piece (DNS Flag Day 2020).</summary>
    internal const int OwnUdpBytes = 1232;

    private const ushort TypeOpt = 41;
    private const int MaxNameBytes = 255;
    private const int TypeAndClassBytes = 4;

    /// <summary>TYPE CLASS TTL RDLENGTH.</summary>
    private const int RecordHeadBytes = 10;

    private const ushort Response = 0x8000;
    private const ushort OpcodeMask = 0x7800;
    private const ushort Truncated = 0x0200;
    private const ushort RecursionDesired = 0x0100;
    private const ushort RecursionAvailable = 0x0080;
    private const ushort CheckingDisabled = 0x0010;
    private const ushort CodeMask = 0x000f;

    internal static ushort Id(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16BigEndian(message);

    internal static void SetId(Span<byte> message, ushort id) => BinaryPrimitives.WriteUInt16BigEndian(message, id);

    /// <summary>Not to be guessed (RFC 5452 section 4.3).</summary>
    internal static ushort NewId() => BinaryPrimitives.ReadUInt16BigEndian(RandomNumberGenerator.GetBytes(2));

    /// <summary>The response code without EDNS's upper bits. The message has a header.</summary>
    internal static DnsCode Code(ReadOnlySpan<byte> message) => (DnsCode)(Flags(message) & CodeMask);

    internal static bool IsTruncated(ReadOnlySpan<byte> message) => (Flags(message) & Truncated) != 0;

    /// <summary>A query or an answer with exactly one question, its name neither compressed nor too long.</summary>
    internal static bool TryReadQuestion(ReadOnlySpan<byte> message, out DnsQuestion question)
    {
        question = default;
        if (message.Length is < HeaderBytes or > MaxBytes || Count(message, 4) != 1)
        {
            return false;
        }

        int at = HeaderBytes;
        while (true)
        {
            if (at >= message.Length)
            {
                return false;
            }

            int label = message[at];
            if (label > 63)
            {
                return false;
            }

            at += 1 + label;
            if (at - HeaderBytes > MaxNameBytes)
            {
                return false;
            }

            if (label == 0)
            {
                break;
            }
        }

        if (at + TypeAndClassBytes > message.Length)
        {
            return false;
        }

        question = new DnsQuestion(at + TypeAndClassBytes, BinaryPrimitives.ReadUInt16BigEndian(message[at..]), BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]));
        return true;
    }

    internal static bool IsQuery(ReadOnlySpan<byte> message) => message.Length >= HeaderBytes && (Flags(message) & Response) == 0;

    /// <summary>A standard query (RFC 1035 section 4.1.1, opcode 0).</summary>
    internal static bool IsStandard(ReadOnlySpan<byte> message) => (Flags(message) & OpcodeMask) == 0;

    /// <summary>Whether this can be the answer to that query: number, opcode and question are the same (RFC 5452 section 9.1).</summary>
    internal static bool Answers(ReadOnlySpan<byte> query, ReadOnlySpan<byte> answer) =>
        answer.Length >= HeaderBytes && (Flags(answer) & Response) != 0 && Id(answer) == Id(query)
        && ((Flags(answer) ^ Flags(query)) & OpcodeMask) == 0
        && (TryReadQuestion(query, out var asked) && TryReadQuestion(answer, out var told)
            ? asked == told && Ascii.EqualsIgnoreCase(asked.Name(query), told.Name(answer))
            // Some servers refuse without repeating what they did not want to read.
            : Count(answer, 4) == 0 && Code(answer) is not DnsCode.None and not DnsCode.NameError);

    /// <summary>What a client takes over UDP: its EDNS size, never below <see cref="ClassicUdpBytes"/>.</summary>
    internal static int UdpBytes(ReadOnlySpan<byte> query) =>
        FindOpt(query) is { } at ? Math.Max(ClassicUdpBytes, (int)BinaryPrimitives.ReadUInt16BigEndian(query[(at + 3)..])) : ClassicUdpBytes;

    /// <summary>The sender takes no more over UDP; where it said nothing it takes <see cref="ClassicUdpBytes"/> anyway.</summary>
    internal static void LimitUdpBytes(Span<byte> query, int bytes)
    {
        if (FindOpt(query) is { } at && BinaryPrimitives.ReadUInt16BigEndian(query[(at + 3)..]) > bytes)
        {
            BinaryPrimitives.WriteUInt16BigEndian(query[(at + 3)..], (ushort)bytes);
        }
    }

    /// <summary>A new query with one question and room for answers over UDP as stated.</summary>
    /// <param name="name">Dotted; labels of 1 to 63 ASCII characters, as <see cref="TryParseName"/> takes them.</param>
    internal static byte[]? Query(ushort id, string name, ushort type)
    {
        if (!TryParseName(name, out byte[] wire))
        {
            return null;
        }

        byte[] query = new byte[HeaderBytes + wire.Length + TypeAndClassBytes];
        SetId(query, id);
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(2), RecursionDesired);
        query[5] = 1;
        wire.CopyTo(query, HeaderBytes);
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(HeaderBytes + wire.Length), type);
        BinaryPrimitives.WriteUInt16BigEndian(query.AsSpan(HeaderBytes + wire.Length + 2), ClassInternet);
        return query;
    }

    /// <summary>An answer without records, to a query that may be broken behind its header.</summary>
    internal static byte[] Error(ReadOnlySpan<byte> query, DnsCode code) => WithOpt(query, Reply(query, code, 0));

    /// <summary>An answer that says: ask again over TCP.</summary>
    internal static byte[] TruncatedReply(ReadOnlySpan<byte> query) => WithOpt(query, Reply(query, DnsCode.None, Truncated));

    /// <summary>An answer with addresses of the asked type, in the question's name.</summary>
    internal static byte[] Addresses(ReadOnlySpan<byte> query, in DnsQuestion question, IReadOnlyList<IPAddress> addresses, uint ttlSeconds)
    {
        var answer = new List<byte>(Reply(query, DnsCode.None, 0));
        (answer[6], answer[7]) = ((byte)(addresses.Count >> 8), (byte)addresses.Count);
        Span<byte> head = stackalloc byte[2 + RecordHeadBytes];
        foreach (var address in addresses)
        {
            byte[] bytes = address.GetAddressBytes();
            // A pointer to the question's name (RFC 1035 section 4.1.4).
            BinaryPrimitives.WriteUInt16BigEndian(head, 0xc000 | HeaderBytes);
            BinaryPrimitives.WriteUInt16BigEndian(head[2..], question.Type);
            BinaryPrimitives.WriteUInt16BigEndian(head[4..], ClassInternet);
            BinaryPrimitives.WriteUInt32BigEndian(head[6..], ttlSeconds);
            BinaryPrimitives.WriteUInt16BigEndian(head[10..], (ushort)bytes.Length);
            answer.AddRange(head);
            answer.AddRange(bytes);
        }

        return WithOpt(query, [.. answer]);
    }

    /// <summary>Addresses of a type in the answer section, whatever names lead to them. Ends at what cannot be read.</summary>
    internal static IReadOnlyList<IPAddress> ReadAddresses(ReadOnlySpan<byte> answer, ushort type)
    {
        var found = new List<IPAddress>();
        if (!TryReadQuestion(answer, out var question))
        {
            return found;
        }

        int at = question.End;
        int bytes = type == TypeA ? 4 : 16;
        for (int i = Count(answer, 6); i > 0 && TryReadRecord(answer, ref at, out ushort of, out int data, out int length); i--)
        {
            if (of == type && length == bytes)
            {
                found.Add(new IPAddress(answer.Slice(data, length)));
            }
        }

        return found;
    }

    /// <summary>A dotted name, with or without the last dot, as labels.</summary>
    internal static bool TryParseName(string name, out byte[] wire)
    {
        wire = [];
        string bare = name.EndsWith('.') ? name[..^1] : name;
        if (bare.Length is 0 or > MaxNameBytes - 2 || !Ascii.IsValid(bare))
        {
            return false;
        }

        var bytes = new List<byte>(bare.Length + 2);
        foreach (string label in bare.Split('.'))
        {
            if (label.Length is 0 or > 63)
            {
                return false;
            }

            bytes.Add((byte)label.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(label));
        }

        bytes.Add(0);
        wire = [.. bytes];
        return true;
    }

    private static byte[] Reply(ReadOnlySpan<byte> query, DnsCode code, ushort more)
    {
        int end = TryReadQuestion(query, out var question) ? question.End : HeaderBytes;
        byte[] reply = query[..end].ToArray();
        int flags = (Flags(query) & (OpcodeMask | RecursionDesired | CheckingDisabled)) | Response | RecursionAvailable | more | (ushort)code;
        BinaryPrimitives.WriteUInt16BigEndian(reply.AsSpan(2), (ushort)flags);
        reply.AsSpan(4, 8).Clear();
        reply[5] = end > HeaderBytes ? (byte)1 : (byte)0;
        return reply;
    }

    /// <summary>Who asks with EDNS is answered with it (RFC 6891 section 6.1.1).</summary>
    private static byte[] WithOpt(ReadOnlySpan<byte> query, byte[] reply)
    {
        if (FindOpt(query) is null)
        {
            return reply;
        }

        reply[11] = 1;
        return [.. reply, 0, 0, (byte)TypeOpt, OwnUdpBytes >> 8, OwnUdpBytes & 0xff, 0, 0, 0, 0, 0, 0];
    }

    /// <summary>Where the OPT record's type begins; null: there is none (RFC 6891 section 6.1.1: one at most, in the additional section, its name the root).</summary>
    private static int? FindOpt(ReadOnlySpan<byte> query)
    {
        if (!TryReadQuestion(query, out var question))
        {
            return null;
        }

        int at = question.End;
        for (int i = Count(query, 6) + Count(query, 8) + Count(query, 10); i > 0; i--)
        {
            int start = at;
            if (!TryReadRecord(query, ref at, out ushort type, out _, out _))
            {
                return null;
            }

            if (type == TypeOpt && query[start] == 0)
            {
                return start;
            }
        }

        return null;
    }

    private static bool TryReadRecord(ReadOnlySpan<byte> message, ref int at, out ushort type, out int data, out int length)
    {
        (type, data, length) = (0, 0, 0);
        if (!TrySkipName(message, ref at) || at + RecordHeadBytes > message.Length)
        {
            return false;
        }

        type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
        length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
        data = at + RecordHeadBytes;
        at = data + length;
        return at <= message.Length;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> message, ref int at)
    {
        while (at < message.Length)
        {
            int length = message[at];
            switch (length & 0xc0)
            {
                case 0xc0:
                    at += 2;
                    return at <= message.Length;
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

    private static ushort Flags(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16BigEndian(message[2..]);

    private static int Count(ReadOnlySpan<byte> message, int at) => BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
}
