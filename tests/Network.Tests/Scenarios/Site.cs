using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using Aggregator.Lab.Topology;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// A web site on the lab's internet host: GET /bytes/SEED/COUNT gives random bytes that both ends can make; PUT /sum answers the SHA-256 of what it was sent.
/// </summary>
internal sealed class Site : IAsyncDisposable
{
    internal const int Port = 8080;

    private static readonly ConcurrentDictionary<(int Seed, int Count), byte[]> Made = new();

    private readonly WebApplication _app;

    private Site(WebApplication app) => _app = app;

    internal static string UrlV4 => $"http://{LabAddresses.Internet}:{Port}";

    internal static string UrlV6 => $"http://[{LabAddresses.InternetV6}]:{Port}";

    internal static string UrlByName => $"http://{Names.Both}:{Port}";

    internal static byte[] Bytes(int seed, int count) => Made.GetOrAdd((seed, count), static key =>
    {
        byte[] bytes = new byte[key.Count];
        new Random(key.Seed).NextBytes(bytes);
        return bytes;
    });

    internal static string Sum(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    internal static async Task<Site> StartAsync(LabHost host)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            // Slow lines are the point here.
            k.Limits.MinRequestBodyDataRate = null;
            k.Limits.MinResponseDataRate = null;
            k.Limits.MaxRequestBodySize = null;
            k.Listen(IPAddress.IPv6Any, Port);
        });
        builder.WebHost.UseSockets(s => s.CreateBoundListenSocket = at => host.InNamespace(() => SocketTransportOptions.CreateDefaultBoundListenSocket(at)));
        WebApplication app = builder.Build();
        app.MapGet("/bytes/{seed:int}/{count:int}", async (int seed, int count, HttpResponse response) =>
        {
            response.ContentLength = count;
            await response.Body.WriteAsync(Bytes(seed, count), response.HttpContext.RequestAborted);
        });
        app.MapPut("/sum", async (HttpRequest request) =>
            Convert.ToHexStringLower(await SHA256.HashDataAsync(request.Body, request.HttpContext.RequestAborted)));
        await app.StartAsync();
        return new Site(app);
    }

    public async ValueTask DisposeAsync()
    {
        // What is under way when a test ends needs no good-bye.
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
