using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server.Internal;

internal sealed partial class ServerCall
{
    private const string HandlerFailed = "Exception was thrown by handler.";

    /// <summary>Runs a call from its HTTP request to its status.</summary>
    /// <param name="http">The request.</param>
    /// <param name="server">Options and logger.</param>
    /// <param name="handle">Reads, calls the service, writes.</param>
    /// <param name="streamsIn">The client sends a stream, which may rest as long as it likes.</param>
    public static async Task RunAsync(HttpContext http, GrpcServer server, Func<ServerCall, Task> handle, bool streamsIn = false)
    {
        if (!IsCall(http))
        {
            return;
        }

        http.Response.ContentType = GrpcProtocol.ContentType;
        http.Response.Headers[GrpcProtocol.AcceptEncoding] = GrpcProtocol.AcceptedEncodings;
        LiftHttpLimits(http, streamsIn);

        var call = new ServerCall(http, server);
        try
        {
            await call.FinishAsync(await call.HandleAsync(handle));
        }
        finally
        {
            await call.StopDeadlineAsync();
        }
    }

    /// <summary>Answers requests that are no gRPC in the words of HTTP.</summary>
    private static bool IsCall(HttpContext http)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && !HttpProtocol.IsHttp3(http.Request.Protocol))
        {
            http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            http.Response.Headers.Upgrade = "HTTP/2";
            return false;
        }

        if (!GrpcProtocol.IsGrpc(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return false;
        }

        return true;
    }

    /// <summary>The message limit and HTTP/2's windows bound the memory; a stream as a whole has no size and no least rate.</summary>
    private static void LiftHttpLimits(HttpContext http, bool streamsIn)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (streamsIn && http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }

    private async Task<Status> HandleAsync(Func<ServerCall, Task> handle)
    {
        try
        {
            ReadRequestHeaders();
            StartDeadline();
            ChooseResponseEncoding();
            await handle(this);
            return Status;
        }
        catch (RpcException e)
        {
            foreach (Metadata.Entry trailer in ReferenceEquals(e.Trailers, _trailers) ? [] : e.Trailers)
            {
                _trailers.Add(trailer);
            }

            _server.Log.CallRefused(Method, e.StatusCode, e.Status.Detail);
            return e.Status;
        }
        catch (Exception e) when (_token.IsCancellationRequested || ReferenceEquals(e, _readFault))
        {
            _server.Log.ClientGone(Method, e.Message);
            return new Status(StatusCode.Cancelled, "", e);
        }
        catch (Exception e)
        {
            _server.Log.HandlerFailed(e, Method);
            string detail = _server.Options.EnableDetailedErrors == true
                ? $"{HandlerFailed} {e.GetType().Name}: {e.Message}"
                : HandlerFailed;
            return new Status(StatusCode.Unknown, detail, e);
        }
    }

    private void ReadRequestHeaders()
    {
        foreach ((string key, StringValues values) in Http.Request.Headers)
        {
            foreach (string? value in values)
            {
                if (!MetadataCodec.TryAdd(_requestHeaders, key, value))
                {
                    throw GrpcErrors.BadMetadata(key);
                }
            }
        }
    }
}
