using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>What HTTP says, in gRPC's words.</summary>
internal static class ClientErrors
{
    /// <summary>An HTTP status without a gRPC status (doc/http-grpc-status-mapping.md).</summary>
    public static StatusCode FromHttp(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>An exception of the handler, its connection or this folder.</summary>
    public static Status From(Exception exception)
    {
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case RpcException rpc:
                    return rpc.Status;
                case HttpProtocolException protocol:
                    return new Status(FromHttp2(protocol.ErrorCode), Describe("The HTTP/2 stream or connection ended with an error.", exception), exception);
                case SocketException or AuthenticationException:
                case HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded }:
                case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError or HttpRequestError.ResponseEnded }:
                    return new Status(StatusCode.Unavailable, Describe("Error connecting to the server.", exception), exception);
            }
        }

        return exception is IOException
            ? new Status(StatusCode.Unavailable, Describe("The connection was lost.", exception), exception)
            : new Status(StatusCode.Internal, Describe("Error starting or running the call.", exception), exception);
    }

    /// <summary>RST_STREAM and GOAWAY (doc/PROTOCOL-HTTP2.md, "Errors").</summary>
    private static StatusCode FromHttp2(long code) => code switch
    {
        0x7 => StatusCode.Unavailable,          // REFUSED_STREAM: certainly not processed
        0x8 => StatusCode.Cancelled,            // CANCEL
        0xB => StatusCode.ResourceExhausted,    // ENHANCE_YOUR_CALM
        0xC => StatusCode.PermissionDenied,     // INADEQUATE_SECURITY
        _ => StatusCode.Internal,
    };

    private static string Describe(string what, Exception exception)
    {
        var text = new System.Text.StringBuilder(what);
        for (Exception? e = exception; e is not null; e = e.InnerException)
        {
            text.Append(' ').Append(e.GetType().Name).Append(": ").Append(e.Message);
        }

        return text.ToString();
    }
}
