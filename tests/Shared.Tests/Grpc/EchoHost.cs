using System.Net;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>The echo service on Kestrel, on a free port of 127.0.0.1 or on a Unix socket; HTTP/2 without TLS.</summary>
internal sealed class EchoHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private EchoHost(WebApplication app) => _app = app;

    public EchoEvents Events => _app.Services.GetRequiredService<EchoEvents>();

    public RecordingLoggerProvider Logs => _app.Services.GetRequiredService<RecordingLoggerProvider>();

    public string Address => _app.Urls.First();

    public int Port => new Uri(Address).Port;

    public static async Task<EchoHost> StartAsync(
        Action<GrpcServiceOptions>? grpc = null, Action<KestrelServerOptions>? kestrel = null, Action<WebApplication>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<RecordingLoggerProvider>();
        builder.Services.AddSingleton<ILoggerProvider>(services => services.GetRequiredService<RecordingLoggerProvider>());
        builder.Services.AddSingleton<EchoEvents>();
        builder.Services.AddGrpc(options => grpc?.Invoke(options));
        builder.WebHost.ConfigureKestrel(options =>
        {
            if (kestrel is null)
            {
                options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
            }
            else
            {
                kestrel(options);
            }
        });
        WebApplication app = builder.Build();
        configure?.Invoke(app);
        app.MapGrpcService<EchoService>();
        await app.StartAsync();
        return new EchoHost(app);
    }

    public async ValueTask DisposeAsync()
    {
        // Calls that tests leave open end with their connections.
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }
}

/// <summary>Keeps what was logged.</summary>
internal sealed class RecordingLoggerProvider : ILoggerProvider, ILogger
{
    private readonly List<(LogLevel Level, string Text)> _entries = [];

    public IReadOnlyList<string> Errors
    {
        get
        {
            lock (_entries)
            {
                return [.. _entries.Where(entry => entry.Level >= LogLevel.Error).Select(entry => entry.Text)];
            }
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_entries)
        {
            _entries.Add((logLevel, $"{formatter(state, exception)} {exception}"));
        }
    }

    public void Dispose()
    {
    }
}
