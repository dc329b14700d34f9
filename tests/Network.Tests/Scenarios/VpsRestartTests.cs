using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>The VPS goes and comes: old flows end, flows of the time between fail fast, and the gateway is connected again within two seconds of its return.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class VpsRestartTests(ITestOutputHelper output)
{
    private const int EchoPort = 5400;
    private static readonly TimeSpan InTime = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(Libc.SIGTERM)]
    [InlineData(Libc.SIGKILL)]
    public async Task Connected_again_within_two_seconds(int signal)
    {
        await using Scene scene = await Scene.StartAsync();
        scene.Serve(EchoPort, TargetServer.EchoAsync);
        using Socket old = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), EchoPort);
        await old.SendAsync("hello"u8.ToArray());
        await SocksClient.ReadAsync(old, new byte[5], default);

        int connections = Connections(scene);
        long ending = Stopwatch.GetTimestamp();
        scene.Product.Vps.Signal(signal);
        await scene.Product.Vps.WaitForExitAsync();
        output.WriteLine($"the VPS ended {Stopwatch.GetElapsedTime(ending).TotalMilliseconds:0} ms after the signal");

        // An end or an error: both tell the client at once.
        using (var limit = new CancellationTokenSource(Generous))
        {
            long cut = Stopwatch.GetTimestamp();
            await EndsAsync(old, limit.Token);
            output.WriteLine($"the old flow ended {Stopwatch.GetElapsedTime(cut).TotalMilliseconds:0} ms after the VPS");
        }

        await FailsFastAsync(scene, 5);

        // The VPS' own start (JIT on a busy machine) is not the gateway's: the clock starts when it listens.
        await scene.Product.StartVpsAsync();
        long back = Stopwatch.GetTimestamp();
        await ConnectedAsync(scene, connections);
        TimeSpan took = Stopwatch.GetElapsedTime(back);
        output.WriteLine($"connected {took.TotalMilliseconds:0} ms after the VPS listened");
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 10_000);
        output.WriteLine($"a flow was through {Stopwatch.GetElapsedTime(back).TotalMilliseconds:0} ms after the VPS listened");
        took.ShouldBeLessThanOrEqualTo(InTime);
        await scene.Curl.UploadAsync(WayIn.TransparentV4, 1, 10_000);
    }

    [SkippableFact]
    public async Task A_vps_that_comes_after_the_gateway_is_found()
    {
        await using Scene scene = await Scene.PrepareAsync();
        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        await scene.Product.Vps.StopAsync();

        scene.Product.StartGateway();
        await scene.Product.WaitForStatusAsync(s => State(s) == "unreachable", "finding that nobody is there", Generous);
        JsonElement status = await scene.Product.StatusAsync();
        status.GetProperty("node").GetProperty("rtt_ms").ValueKind.ShouldBe(JsonValueKind.Null);
        status.GetProperty("vps").ValueKind.ShouldBe(JsonValueKind.Null);
        await FailsFastAsync(scene, 2);

        int connections = Connections(scene);
        await scene.Product.StartVpsAsync();
        long back = Stopwatch.GetTimestamp();
        await ConnectedAsync(scene, connections);
        TimeSpan took = Stopwatch.GetElapsedTime(back);
        output.WriteLine($"connected {took.TotalMilliseconds:0} ms after the VPS listened");
        took.ShouldBeLessThanOrEqualTo(InTime);
        await scene.Curl.DownloadAsync(WayIn.HttpV4, 1, 10_000);
    }

    /// <summary>Silence of every WAN at once: as when the VPS' network is gone.</summary>
    [SkippableFact]
    public async Task Silence_of_everything_is_found_and_its_end_too()
    {
        await using Scene scene = await Scene.StartAsync();
        long began = Stopwatch.GetTimestamp();
        foreach (LabWan wan in scene.Lab.Wans)
        {
            wan.BlackHole = true;
        }

        // Opened on lanes that nobody knows to be dead yet.
        Task<ToolResult> early = scene.Curl.RunAsync(WayIn.SocksV4, $"{Curl.Url(WayIn.SocksV4)}/bytes/1/1000");
        await scene.Product.WaitForStatusAsync(s => State(s) != "connected", "noticing the silence", Generous);
        output.WriteLine($"the silence was noticed after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
        await scene.Product.WaitForStatusAsync(s => State(s) == "unreachable", "giving up", Generous);
        (await early.WaitAsync(TimeSpan.FromSeconds(5))).ExitCode.ShouldNotBe(0);
        await FailsFastAsync(scene, 2);

        int connections = Connections(scene);
        foreach (LabWan wan in scene.Lab.Wans)
        {
            wan.BlackHole = false;
        }

        long back = Stopwatch.GetTimestamp();
        await ConnectedAsync(scene, connections);
        TimeSpan took = Stopwatch.GetElapsedTime(back);
        output.WriteLine($"connected {took.TotalMilliseconds:0} ms after its end");
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 10_000);
        took.ShouldBeLessThanOrEqualTo(InTime);
    }

    private static string? State(JsonElement status) => status.GetProperty("node").GetProperty("state").GetString();

    private async Task FailsFastAsync(Scene scene, int tries)
    {
        for (int i = 0; i < tries; i++)
        {
            long began = Stopwatch.GetTimestamp();
            ToolResult result = await scene.Curl.RunAsync((WayIn)(i % 8), $"{Curl.Url((WayIn)(i % 8))}/bytes/1/1000");
            TimeSpan took = Stopwatch.GetElapsedTime(began);
            output.WriteLine($"without a VPS, {(WayIn)(i % 8)}: curl {result.ExitCode} after {took.TotalMilliseconds:0} ms: {result.Error.Trim()}");
            result.ExitCode.ShouldNotBe(0);
            took.ShouldBeLessThan(TimeSpan.FromSeconds(2));
        }
    }

    private static int Connections(Scene scene) =>
        scene.Product.Gateway.Error.Count(l => l.Contains("Connected to the VPS", StringComparison.Ordinal));

    /// <summary>Waits for the gateway's own word: asking with a new process each time would measure their starts.</summary>
    private static Task ConnectedAsync(Scene scene, int before) =>
        LabTest.UntilAsync(() => Connections(scene) > before, $"a new connection\n{scene.Product.Gateway.Transcript()}", Generous);

    private static async Task EndsAsync(Socket socket, CancellationToken cancellationToken)
    {
        try
        {
            (await socket.ReceiveAsync(new byte[1], cancellationToken)).ShouldBe(0);
        }
        catch (SocketException e)
        {
            e.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        }
    }
}
