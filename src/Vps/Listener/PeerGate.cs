using Aggregator.Vps.Pairing;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Aggregator.Vps.Listener;

/// <summary>
/// Who may call what, in one place and closed by default: through the Unix socket the local service; through the port Pairing for
/// everybody, the services of <see cref="Paired"/> for those who are, and nothing else.
/// </summary>
internal sealed class PeerGate(RequestDelegate next)
{
    private const string Pairing = "/aggregator.v1.Pairing/";

    /// <summary>For the command lines of this host.</summary>
    private static readonly string[] Local =
    [
        "/aggregator.v1.VpsLocal/",
        "/aggregator.v1.VpsHealthLocal/",
        "/aggregator.v1.VpsTuneLocal/",
    ];

    /// <summary>For gateways that are paired.</summary>
    private static readonly string[] Paired =
    [
        "/aggregator.v1.Control/",
        "/aggregator.v1.Diagnosis/",
        "/aggregator.v1.SpeedTest/",
        "/aggregator.v1.HealthReports/",
        "/aggregator.v1.Packets/",
        "/aggregator.v1.DatagramLanes/",
    ];

    public Task InvokeAsync(HttpContext context)
    {
        var peer = context.Features.Get<IPeerFeature>();
        string path = context.Request.Path.Value ?? "";
        bool allowed = peer is null
            ? IsOneOf(path, Local)
            : path.StartsWith(Pairing, StringComparison.Ordinal) || (peer.Gateway is not null && IsOneOf(path, Paired));
        return allowed ? next(context) : RefuseAsync(context.Response);
    }

    private static bool IsOneOf(string path, string[] services) => Array.Exists(services, s => path.StartsWith(s, StringComparison.Ordinal));

    /// <summary>A gRPC answer without a call (trailers only). The same for services that exist and for those that do not.</summary>
    private static Task RefuseAsync(HttpResponse response)
    {
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)StatusCode.Unauthenticated).ToString(System.Globalization.CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = "this gateway is not paired";
        return Task.CompletedTask;
    }
}
