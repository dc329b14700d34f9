using System.Net;
using Aggregator.Identity;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Pairing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aggregator.Network.Tests.Pairing;

/// <summary>The VPS's pairing service alone: real TLS and real gRPC on loopback, without the VPS's own listener.</summary>
internal sealed class PairingPort : IAsyncDisposable
{
    private readonly WebApplication _app;

    private PairingPort(WebApplication app, IdentityKey key) => (_app, Key) = (app, key);

    internal IdentityKey Key { get; }

    internal ushort Port => (ushort)new Uri(_app.Urls.Single()).Port;

    internal static async Task<PairingPort> StartAsync(string stateDirectory, TimeProvider time)
    {
        var key = IdentityKey.LoadOrCreate(stateDirectory);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new PairingDesk(
            new PairingCodes(stateDirectory, time),
            new PairedGateways(stateDirectory),
            new PairingRateLimit(time),
            key.Pin,
            time,
            NullLogger<PairingDesk>.Instance));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Here Kestrel knows of the TLS, on the VPS it does not; the gateway says `http` to both.
            kestrel.AllowAlternateSchemes = true;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(new TlsHandshakeCallbackOptions
                {
                    OnConnection = _ => ValueTask.FromResult(PinnedTls.ServerOptions(key, PinnedTls.Grpc)),
                });
            });
        });
        var app = builder.Build();
        app.Use((context, next) =>
        {
            var tls = context.Features.Get<ISslStreamFeature>()!.SslStream;
            context.Features.Set<IPeerFeature>(new Peer(PinnedTls.PeerPin(tls), context.Connection.RemoteIpAddress!));
            return next(context);
        });
        app.MapGrpcService<PairingService>();
        await app.StartAsync();
        return new PairingPort(app, key);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Key.Dispose();
    }

    private sealed record Peer(KeyPin Pin, IPAddress Address) : IPeerFeature
    {
        public PairedGateway? Gateway => null;
    }
}
