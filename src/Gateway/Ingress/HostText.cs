using System.Buffers;
using System.Net;
using System.Text;
using Aggregator.Flows;

namespace Aggregator.Gateway.Ingress;

/// <summary>A host as clients write it: a dotted IPv4 address, an IPv6 address without zone, or a name.</summary>
internal static class HostText
{
    /// <summary>RFC 1035 section 2.3.4; also all that SOCKS5's length byte can say.</summary>
    internal const int MaxNameBytes = 255;

    // Letters, digits, hyphen and dot are host names (RFC 1123); underscores are common in practice.
    // Anything else (control bytes, spaces, '%', '/', '@', non-ASCII) is refused before it reaches a resolver or a log.
    private static readonly SearchValues<byte> NameBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"u8);

    private static readonly SearchValues<byte> AddressV6Bytes = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>A name or an address without brackets. Text that is an address becomes one, so that it meets the rules for addresses.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, ushort port, out FlowTarget target)
    {
        if (TryParseV6(text, port, out target))
        {
            return true;
        }
        if (text.IsEmpty || text.Length > MaxNameBytes || text.ContainsAnyExcept(NameBytes) || text[0] == (byte)'.')
        {
            return false;
        }
        target = TryParseV4(text, out IPAddress? address)
            ? new FlowTarget(address!, port)
            : new FlowTarget(Encoding.ASCII.GetString(text), port);
        return true;
    }

    /// <summary>An IPv6 address without brackets and zone.</summary>
    internal static bool TryParseV6(ReadOnlySpan<byte> text, ushort port, out FlowTarget target)
    {
        target = default;
        if (!text.Contains((byte)':') || text.ContainsAnyExcept(AddressV6Bytes) || !IPAddress.TryParse(text, out IPAddress? address))
        {
            return false;
        }
        target = new FlowTarget(address, port);
        return true;
    }

    // Only four decimal numbers: IPAddress.Parse would also take "1", "0x7f.1" and octal, which browsers and resolvers read in several ways.
    private static bool TryParseV4(ReadOnlySpan<byte> text, out IPAddress? address)
    {
        address = null;
        Span<byte> bytes = stackalloc byte[4];
        int parts = 0;
        while (parts < 4)
        {
            int dot = text.IndexOf((byte)'.');
            ReadOnlySpan<byte> part = dot < 0 ? text : text[..dot];
            if (!DecimalText.TryParse(part, byte.MaxValue, out int value))
            {
                return false;
            }
            bytes[parts++] = (byte)value;
            if (dot < 0)
            {
                break;
            }
            text = text[(dot + 1)..];
            if (parts == 4)
            {
                return false;
            }
        }
        if (parts != 4)
        {
            return false;
        }
        address = new IPAddress(bytes);
        return true;
    }
}
