using Aggregator.Vps.Pairing;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Aggregator.Vps.Listener;

/// <summary>
/// Who may call what, in one place and closed by default: through the Unix socket the local service; through the port Pairing for
/// everybody, Control, Diagnosis and SpeedTest for those who are paired, and nothing else.
/// </summary>
internal sealed class PeerGate(RequestDelegate next)
{
    private const string Local = "/aggregator.v1.VpsLocal/";
    private const string Pairing = "/aggregator.v1.Pairing/";
    private const string Control = "/aggregator.v1.Control/";
    private const string Diagnosis = "/aggregator.v1.Diagnosis/";
    private const string SpeedTest = "/aggregator.v1.SpeedTest/";

    public Task InvokeAsync(HttpContext context)
    {
        var peer = context.Features.Get<IPeerFeature>();
        string path = context.Request.Path.Value ?? "";
        bool allowed = peer is null
            ? path.StartsWith(Local, StringComparison.Ordinal)
            : path.StartsWith(Pairing, StringComparison.Ordinal)
                || (peer.Gateway is not null
                    && (path.StartsWith(Control, StringComparison.Ordinal)
                        || path.StartsWith(Diagnosis, StringComparison.Ordinal)
                        || path.StartsWith(SpeedTest, StringComparison.Ordinal)));
        return allowed ? next(context) : RefuseAsync(context.Response);
    }

    /// <summary>A gRPC answer without a call (trailers only). The same for services that exist and for those that do not.</summary>
    private static Task RefuseAsync(HttpResponse response)
    {
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)StatusCode.Unauthenticated).ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = "this gateway is not paired";
        return Task.CompletedTask;
    }
}
