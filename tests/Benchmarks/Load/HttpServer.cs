using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Benchmarks.Load;

/// <summary>What curl talks to: GET /bytes/N, and PUT of anything, answered when all of it has come.</summary>
internal static class HttpServer
{
    internal static async Task RunAsync(IPEndPoint listen, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o =>
        {
            o.Listen(listen);
            o.Limits.MaxRequestBodySize = null;
        });
        WebApplication application = builder.Build();
        byte[] zeros = new byte[64 * 1024];
        application.MapGet("/bytes/{count:long}", async (HttpContext context, long count) =>
        {
            context.Response.ContentLength = count;
            for (long left = count; left > 0;)
            {
                int now = (int)Math.Min(left, zeros.Length);
                await context.Response.Body.WriteAsync(zeros.AsMemory(0, now), context.RequestAborted);
                left -= now;
            }
        });
        application.MapPut("/upload", async (HttpContext context) =>
        {
            byte[] buffer = new byte[64 * 1024];
            while (await context.Request.Body.ReadAsync(buffer, context.RequestAborted) > 0)
            {
            }
        });
        await application.StartAsync(cancellationToken);
        await application.WaitForShutdownAsync(cancellationToken);
    }
}
