using System.Net;
using Aggregator.DnsWire;

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

/// <summary>What may be thought of an answer to a question for an IPv4 address. Takes any bytes.</summary>
internal static class DnsJudge
{
    internal static DnsVerdict Of(ReadOnlySpan<byte> question, ReadOnlySpan<byte> answer)
    {
        if (!DnsMessage.Answers(question, answer))
        {
            return DnsVerdict.NotOurs;
        }

        IReadOnlyList<IPAddress> addresses = DnsMessage.Code(answer) == DnsCode.None ? DnsMessage.ReadAddresses(answer, DnsMessage.TypeA) : [];
        return addresses.Count == 0 ? DnsVerdict.Refusal
            : addresses.Any(a => IsPublic(a.GetAddressBytes())) ? DnsVerdict.Answer
            : DnsVerdict.Lie;
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
