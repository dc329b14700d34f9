using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Aggregator.Settings;

/// <summary>The kinds of values that configuration files and command lines share, parsed strictly; each problem says what would be right.</summary>
internal static class Values
{
    /// <summary>sizeof(sockaddr_un.sun_path) less the final NUL.</summary>
    private const int MaxUnixSocketPathBytes = 107;

    /// <summary>PATH_MAX less the final NUL.</summary>
    private const int MaxPathBytes = 4095;

    /// <summary>IFNAMSIZ less the final NUL.</summary>
    private const int MaxInterfaceNameBytes = 15;

    internal const int MaxNameLength = 32;

    /// <summary>`192.168.77.1:1080` or `[::1]:1080`.</summary>
    internal static Parsed<IPEndPoint> EndPoint(string text)
    {
        var bad = Parsed<IPEndPoint>.Not($"must be ADDRESS:PORT, such as 192.168.77.1:1080 or [::1]:1080; it is {MapReader.Shown(text)}");
        int colon = text.LastIndexOf(':');
        if (colon <= 0)
        {
            return bad;
        }

        string host = text[..colon];
        bool bracketed = host is ['[', .., ']'];
        if (Address(bracketed ? host[1..^1] : host) is not { Value: { } address } || bracketed != (address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return bad;
        }

        var port = Port(text[(colon + 1)..]);
        return port.Problem is { } problem ? Parsed<IPEndPoint>.Not($"the port {problem}") : Parsed<IPEndPoint>.Of(new IPEndPoint(address, port.Value));
    }

    /// <summary>IPv4 with four parts, or IPv6 without a zone.</summary>
    internal static Parsed<IPAddress> Address(string text)
    {
        // .NET also takes `1` for 0.0.0.1, octal parts and zones.
        bool shape = text.Contains(':', StringComparison.Ordinal)
            ? !text.Contains('%', StringComparison.Ordinal) && !text.Contains('[', StringComparison.Ordinal) && !text.Contains('/', StringComparison.Ordinal)
            : text.Split('.') is { Length: 4 } parts && parts.All(p => p is "0" || (p is [not '0', ..] && p.All(char.IsAsciiDigit)));
        return shape && IPAddress.TryParse(text, out var address)
            ? Parsed<IPAddress>.Of(address)
            : Parsed<IPAddress>.Not($"must be an IPv4 or IPv6 address; it is {MapReader.Shown(text)}");
    }

    internal static Parsed<ushort> Port(string text) =>
        text.Length <= 5 && text.All(char.IsAsciiDigit) && ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port > 0
            ? Parsed<ushort>.Of(port)
            : Parsed<ushort>.Not($"must be a number from 1 to 65535; it is {MapReader.Shown(text)}");

    /// <summary>`10.50.0.0/24`.</summary>
    internal static Parsed<IPNetwork> Network(string text)
    {
        // .NET also takes networks with bits set behind the mask, and the spellings of addresses that we do not.
        if (IPNetwork.TryParse(text, out var network) && Address(text.Split('/')[0]).Value is { } first && first.Equals(network.BaseAddress))
        {
            return Parsed<IPNetwork>.Of(network);
        }

        string meant = "";
        if (text.Split('/') is [var start, var length] && Address(start).Value is { } address
            && int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits <= address.GetAddressBytes().Length * 8)
        {
            meant = $" (did you mean {Masked(address, bits)}?)";
        }
        else if (Address(text).Value is { } single)
        {
            meant = $" (did you mean {text}/{single.GetAddressBytes().Length * 8}?)";
        }

        return Parsed<IPNetwork>.Not($"must be NETWORK/LENGTH, such as 10.50.0.0/24; it is {MapReader.Shown(text)}{meant}");
    }

    /// <summary>A name of the kernel's (dev_valid_name in net/core/dev.c), printable ASCII.</summary>
    internal static Parsed<string> InterfaceName(string text)
    {
        if (text.Length is 0 or > MaxInterfaceNameBytes)
        {
            return Parsed<string>.Not($"an interface's name has 1 to {MaxInterfaceNameBytes} characters; it is {MapReader.Shown(text)}");
        }

        return text is "." or ".." || text.Any(c => c is '/' or ':' or <= ' ' or > '~')
            ? Parsed<string>.Not($"not an interface's name: {MapReader.Shown(text)}; `ip link` shows those there are")
            : Parsed<string>.Of(text);
    }

    /// <summary>What people call a link or a gateway: typed on command lines and used as a file's name.</summary>
    internal static Parsed<string> Name(string text) =>
        text.Length is > 0 and <= MaxNameLength && text[0] is not ('-' or '.') && text.All(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.')
            ? Parsed<string>.Of(text)
            : Parsed<string>.Not($"a name has 1 to {MaxNameLength} letters, digits, `-`, `_` or `.` and begins with a letter, a digit or `_`; it is {MapReader.Shown(text)}");

    /// <summary>A host's name (RFC 1123 section 2.1) or address, without a port. IPv6 with or without brackets; the result has none.</summary>
    internal static Parsed<string> Host(string text)
    {
        string bare = text is ['[', .., ']'] ? text[1..^1] : text;
        if (Address(bare) is { Value: { } address } && (bare == text || address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return Parsed<string>.Of(address.ToString());
        }

        if (text.Split(':') is [var host, var port] && IsHostName(host) && port.All(char.IsAsciiDigit))
        {
            return Parsed<string>.Not($"must be a host's name or address without a port; it is {MapReader.Shown(text)}");
        }

        return IsHostName(text)
            ? Parsed<string>.Of(text)
            : Parsed<string>.Not($"must be a host's name or address, such as vps.example.net or 203.0.113.7; it is {MapReader.Shown(text)}");
    }

    internal static Parsed<string> AbsolutePath(string text) =>
        text is ['/', ..] && !text.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(text) <= MaxPathBytes
            ? Parsed<string>.Of(text)
            : Parsed<string>.Not($"must be an absolute path (beginning with `/`); it is {MapReader.Shown(text)}");

    internal static Parsed<string> UnixSocketPath(string text)
    {
        var path = AbsolutePath(text);
        if (path.Problem is not null)
        {
            return path;
        }

        int bytes = Encoding.UTF8.GetByteCount(text);
        return bytes <= MaxUnixSocketPathBytes
            ? path
            : Parsed<string>.Not($"a Unix socket's path has at most {MaxUnixSocketPathBytes} bytes, this one has {bytes}; choose a shorter one");
    }

    /// <summary>One of <paramref name="choices"/>, as written.</summary>
    internal static Parsed<string> OneOf(string text, params string[] choices) => choices.Contains(text)
        ? Parsed<string>.Of(text)
        : Parsed<string>.Not($"must be {string.Join(" or ", choices)}; it is {MapReader.Shown(text)}{NearMiss.Hint(text, choices)}");

    private static bool IsHostName(string text) =>
        text.Length is > 0 and <= 253
        && text.Split('.') is var labels
        && labels.All(l => l.Length is > 0 and <= 63 && l[0] != '-' && l[^1] != '-' && l.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        // A last label of digits only is a mistyped address.
        && !labels[^1].All(char.IsAsciiDigit);

    private static string Masked(IPAddress address, int bits)
    {
        var bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int keep = Math.Clamp(bits - i * 8, 0, 8);
            bytes[i] &= (byte)(0xff00 >> keep);
        }

        return $"{new IPAddress(bytes)}/{bits}";
    }
}
