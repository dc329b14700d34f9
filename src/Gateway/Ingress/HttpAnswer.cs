using System.Text;
using Aggregator.Flows;

namespace Aggregator.Gateway.Ingress;

/// <summary>The answers of the HTTP proxy, whole as they go over the wire. Each but 200 ends the connection.</summary>
internal sealed class HttpAnswer
{
    /// <summary>RFC 9110 section 9.3.6: no content, no Content-Length; the tunnel begins after the empty line.</summary>
    internal static readonly HttpAnswer Established = new("HTTP/1.1 200 Connection established\r\n\r\n", "");

    internal static readonly HttpAnswer BadRequest = Error("400 Bad Request", "This is not a CONNECT request that this proxy understands.");

    internal static readonly HttpAnswer MethodNotAllowed = Error(
        "405 Method Not Allowed",
        "This is a proxy for HTTPS and other TCP connections: it takes CONNECT host:port only. "
        + "Set it as the HTTPS proxy; plain http:// pages need the SOCKS5 port or the transparent mode.",
        "Allow: CONNECT\r\n");

    internal static readonly HttpAnswer Timeout = Error("408 Request Timeout", "The request did not come in time.");

    internal static readonly HttpAnswer HeadTooLarge = Error("431 Request Header Fields Too Large", "The request's head is too large.");

    private static readonly HttpAnswer NotAllowed = Error("403 Forbidden", "The VPS's rules do not allow this target.");
    private static readonly HttpAnswer Refused = Error("502 Bad Gateway", "The target refused the connection.");
    private static readonly HttpAnswer HostUnreachable = Error("502 Bad Gateway", "The target cannot be reached.");
    private static readonly HttpAnswer NameNotFound = Error("502 Bad Gateway", "The target's name does not exist.");
    private static readonly HttpAnswer Failed = Error("502 Bad Gateway", "The connection to the target failed.");
    private static readonly HttpAnswer NoCarrier = Error("503 Service Unavailable", "The VPS cannot be reached at the moment.");
    private static readonly HttpAnswer Busy = Error("503 Service Unavailable", "The VPS has no room for another connection at the moment.");
    private static readonly HttpAnswer TimedOut = Error("504 Gateway Timeout", "The target did not answer in time.");

    private HttpAnswer(string head, string text)
    {
        HeadOnly = Encoding.ASCII.GetBytes(head);
        Bytes = Encoding.ASCII.GetBytes(head + text);
    }

    internal ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>What a HEAD request gets (RFC 9110 section 9.3.2).</summary>
    internal ReadOnlyMemory<byte> HeadOnly { get; }

    internal static HttpAnswer For(OpenResult result) => result switch
    {
        OpenResult.Opened => Established,
        OpenResult.NotAllowed => NotAllowed,
        OpenResult.Refused => Refused,
        OpenResult.HostUnreachable or OpenResult.NetworkUnreachable => HostUnreachable,
        OpenResult.NameNotFound => NameNotFound,
        OpenResult.TimedOut => TimedOut,
        OpenResult.Busy => Busy,
        OpenResult.NoCarrier => NoCarrier,
        _ => Failed,
    };

    private static HttpAnswer Error(string status, string text, string fields = "")
    {
        text += "\n";
        return new HttpAnswer(
            $"HTTP/1.1 {status}\r\n{fields}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {text.Length}\r\nConnection: close\r\n\r\n", text);
    }
}
