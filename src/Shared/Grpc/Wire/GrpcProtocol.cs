using System.Diagnostics.CodeAnalysis;

namespace Grpc.Wire;

/// <summary>Names on the wire (gRPC, doc/PROTOCOL-HTTP2.md).</summary>
internal static class GrpcProtocol
{
    public const string ContentType = "application/grpc";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string UserAgent = "aggregator-grpc/1";

    public const string Identity = "identity";
    public const string GZip = "gzip";
    public const string AcceptedEncodings = "identity,gzip";

    /// <summary>Key in a call's own metadata that asks for compression; it is not sent.</summary>
    public const string CompressionRequest = "grpc-internal-encoding-request";

    /// <summary>The limit that every gRPC implementation has by default: 4 MiB for a message, after decompression.</summary>
    public const int DefaultMaxMessageBytes = 4 * 1024 * 1024;

    /// <summary>Longest wait that one timer takes (its limit is 2^32 - 2 ms); longer deadlines are waited for in pieces.</summary>
    public static readonly TimeSpan MaxTimer = TimeSpan.FromDays(49);

    /// <summary><c>application/grpc</c>, also with a subtype (<c>+proto</c>) or parameters; not <c>application/grpc-web</c>.</summary>
    public static bool IsGrpc([NotNullWhen(true)] string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';');

    /// <summary>Whether a comma-separated <c>grpc-accept-encoding</c> names gzip.</summary>
    public static bool AcceptsGZip(string? acceptEncoding)
    {
        foreach (Range part in acceptEncoding.AsSpan().Split(','))
        {
            if (acceptEncoding.AsSpan(part).Trim().Equals(GZip, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>How long to set a timer for something that is <paramref name="remaining"/> away: whole milliseconds, not less.</summary>
    public static TimeSpan TimerFor(TimeSpan remaining) =>
        remaining <= TimeSpan.Zero ? TimeSpan.Zero
        : remaining < MaxTimer ? TimeSpan.FromMilliseconds(Math.Ceiling(remaining.TotalMilliseconds))
        : MaxTimer;
}
