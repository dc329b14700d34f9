using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Contestants;
using Aggregator.Lab.Product;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Load;

/// <summary>Runs the generator's two sides as processes of their own (`Aggregator.Benchmarks generator …`), the same for every contestant.</summary>
internal static class Generator
{
    internal static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    internal static async Task<NamespaceProcess> StartServerAsync(LoadPath path, CancellationToken cancellationToken)
    {
        string[] command = [.. Wrapped(path), .. Self, "generator", "server", $"0.0.0.0:{Text(Contestant.LoadPort)}"];
        NamespaceProcess server = NamespaceProcess.Start(path.ServerNamespace, command[0], command[1..]);
        try
        {
            await server.WaitForListenerAsync(path.ServerNamespace, Contestant.LoadPort, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    internal static async Task<BulkResult> RunBulkAsync(
        LoadPath path, LoadRequest request, int streams, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            .. Wrapped(path), .. Self, "generator", "bulk", path.Target.ToString(),
            "--kind", request.Kind == LoadKind.Up ? "up" : "down",
            "--warm-up-ms", Text((int)request.WarmUp.TotalMilliseconds),
            "--window-ms", Text((int)request.Window.TotalMilliseconds),
            "--streams", Text(streams),
            .. path.Socks is { } socks ? (string[])["--socks", socks.ToString()] : [],
        ];
        ToolResult result = await Tool.RunAsync(
            "ip", ["netns", "exec", path.ClientNamespace, .. arguments], cancellationToken: cancellationToken);
        return JsonSerializer.Deserialize<BulkResult>(result.OutputOrThrow(), Json)
            ?? throw new IOException("the generator printed nothing");
    }

    /// <summary>This program, as it was started.</summary>
    private static string[] Self
    {
        get
        {
            string program = Environment.ProcessPath ?? throw new InvalidOperationException("no path of this process");
            return Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, typeof(Generator).Assembly.Location] : [program];
        }
    }

    private static string[] Wrapped(LoadPath path) => path.Mptcp ? ["mptcpize", "run"] : [];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
