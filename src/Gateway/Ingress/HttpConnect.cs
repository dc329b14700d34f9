using System.Buffers;
using Aggregator.Flows;

namespace Aggregator.Gateway.Ingress;

/// <summary>How far an HTTP request has come.</summary>
internal enum HttpParse
{
    NeedMore,

    /// <summary>A CONNECT with a good target.</summary>
    Done,

    /// <summary>Not a request by RFC 9112, or a target that is not host:port. Status 400.</summary>
    Bad,

    /// <summary>A sound request with another method. Status 405.</summary>
    OtherMethod,
}

/// <summary>
/// The head of an HTTP/1.x CONNECT request (RFC 9110 section 9.3.6, RFC 9112 sections 2, 3.2.3 and 5). Pure and incremental; the caller bounds the bytes.
/// </summary>
internal static class HttpConnect
{
    /// <summary>Longest method worth waiting for; RFC 9110's longest is 7. Beyond it, this is no request.</summary>
    private const int MaxMethodBytes = 32;

    private static readonly SearchValues<byte> TokenBytes =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    /// <summary>
    /// Looks at <paramref name="input"/>, the request from its first byte. <paramref name="scanned"/> starts at 0 and is kept by the caller between calls,
    /// so that a head sent byte by byte is not searched anew each time.
    /// </summary>
    internal static HttpParse Parse(ReadOnlySpan<byte> input, ref int scanned, out FlowTarget target, out int consumed)
    {
        target = default;
        consumed = 0;
        if (!BeginsLikeRequest(input))
        {
            return HttpParse.Bad;
        }
        int end = FindEnd(input, scanned);
        if (end < 0)
        {
            // The end's pattern is at most four bytes long, three of which may be here already.
            scanned = Math.Max(0, input.Length - 3);
            return HttpParse.NeedMore;
        }
        consumed = end;
        return ParseHead(input[..end], out target);
    }

    // Other protocols on this port (TLS, SOCKS, SSH) are told by their first bytes, not after 16 KB or ten seconds.
    private static bool BeginsLikeRequest(ReadOnlySpan<byte> input)
    {
        int end = input.IndexOfAnyExcept(TokenBytes);
        return end < 0 ? input.Length <= MaxMethodBytes : end is > 0 and <= MaxMethodBytes && input[end] == (byte)' ';
    }

    /// <summary>The index after the empty line, or -1. A bare LF ends a line too (RFC 9112 section 2.2).</summary>
    private static int FindEnd(ReadOnlySpan<byte> input, int from)
    {
        while (true)
        {
            int newline = input[from..].IndexOf((byte)'\n');
            if (newline < 0)
            {
                return -1;
            }
            from += newline + 1;
            ReadOnlySpan<byte> next = input[from..];
            if (next.StartsWith("\n"u8))
            {
                return from + 1;
            }
            if (next.StartsWith("\r\n"u8))
            {
                return from + 2;
            }
        }
    }

    private static HttpParse ParseHead(ReadOnlySpan<byte> head, out FlowTarget target)
    {
        target = default;
        ReadOnlySpan<byte> line = TakeLine(ref head);
        int space = line.IndexOf((byte)' ');
        ReadOnlySpan<byte> method = line[..space];
        ReadOnlySpan<byte> rest = line[(space + 1)..];
        int versionStart = rest.LastIndexOf((byte)' ') + 1;
        if (versionStart <= 1 || !IsVersion1(rest[versionStart..]) || !AreFields(head))
        {
            return HttpParse.Bad;
        }
        if (!method.SequenceEqual("CONNECT"u8))
        {
            return HttpParse.OtherMethod;
        }
        return TryParseAuthority(rest[..(versionStart - 1)], out target) ? HttpParse.Done : HttpParse.Bad;
    }

    private static bool IsVersion1(ReadOnlySpan<byte> text) => text.SequenceEqual("HTTP/1.1"u8) || text.SequenceEqual("HTTP/1.0"u8);

    // Of the fields nothing is used; they are checked so that a broken head is not taken for a good one.
    private static bool AreFields(ReadOnlySpan<byte> head)
    {
        while (!head.IsEmpty)
        {
            ReadOnlySpan<byte> line = TakeLine(ref head);
            if (line.IsEmpty)
            {
                return head.IsEmpty;
            }
            int colon = line.IndexOf((byte)':');
            if (colon <= 0 || line[..colon].ContainsAnyExcept(TokenBytes) || line.ContainsAny((byte)0, (byte)'\r'))
            {
                return false;
            }
        }
        return false;
    }

    private static ReadOnlySpan<byte> TakeLine(ref ReadOnlySpan<byte> head)
    {
        int newline = head.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = head[..newline];
        head = head[(newline + 1)..];
        return line.EndsWith("\r"u8) ? line[..^1] : line;
    }

    /// <summary>authority-form: uri-host ":" port, an IPv6 address in brackets (RFC 9112 section 3.2.3). The port is not optional.</summary>
    internal static bool TryParseAuthority(ReadOnlySpan<byte> text, out FlowTarget target)
    {
        target = default;
        int colon = text.LastIndexOf((byte)':');
        if (colon <= 0 || !DecimalText.TryParse(text[(colon + 1)..], ushort.MaxValue, out int port) || port == 0)
        {
            return false;
        }
        ReadOnlySpan<byte> host = text[..colon];
        if (host[0] == (byte)'[')
        {
            return host[^1] == (byte)']' && HostText.TryParseV6(host[1..^1], (ushort)port, out target);
        }
        return !host.Contains((byte)':') && HostText.TryParse(host, (ushort)port, out target);
    }
}
