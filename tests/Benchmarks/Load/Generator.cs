using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Contestants;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Load;

/// <summary>Runs the generator's two sides as processes of their own (`Aggregator.Benchmarks generator …`), the same for every contestant.</summary>
internal static class Generator
{
    internal static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    internal static async Task StartServerAsync(LoadPath path)
    {
        string[] command = [.. Wrapped(path), .. Self, "generator", "server", $"0.0.0.0:{Text(Contestant.LoadPort)}"];
        path.Server.Start(command[0], command[1..]);
        await path.Server.WaitForListenerAsync(Contestant.LoadPort);
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
        ToolResult result = await path.Client.RunAsync(arguments[0], arguments[1..], cancellationToken);
        return JsonSerializer.Deserialize<BulkResult>(result.OutputOrThrow(), Json)
            ?? throw new IOException("the generator printed nothing");
    }

    /// <summary>The command line of one of the generator's processes.</summary>
    internal static string[] Command(params string[] arguments) => [.. Self, "generator", .. arguments];

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
