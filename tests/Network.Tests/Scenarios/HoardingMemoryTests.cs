using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// Both daemons in 256 MB each, and clients that never read what comes, beside targets that never read what is sent: the daemons hold what they may, and
/// those who read go on.
/// </summary>
[Collection(ScenarioCollection.Name)]
public sealed class HoardingMemoryTests(ITestOutputHelper output)
{
    private const long LimitBytes = 256L << 20;
    private const int EndlessPort = 5510;
    private const int DeafPort = 5511;
    private const int Sleepers = 300;
    private const int Readers = 10;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(150);

    [SkippableFact]
    public async Task Those_who_never_read_cost_nobody_else_anything()
    {
        Skip.IfNot(Environment.GetEnvironmentVariable("AGGREGATOR_SLOW_TESTS") == "1", "takes most of a minute: set AGGREGATOR_SLOW_TESTS=1");
        await using MemoryCgroup ofVps = await MemoryCgroup.CreateAsync(LimitBytes);
        await using MemoryCgroup ofGateway = await MemoryCgroup.CreateAsync(LimitBytes);
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { VpsLauncher = ofVps.Launcher, GatewayLauncher = ofGateway.Launcher, Carrier = "trunk" },
            [new("one") { DelayMs = 5 }, new("two") { DelayMs = 15 }]);
        using var end = new CancellationTokenSource(Generous);
        scene.Serve(EndlessPort, socket => SendAsync(socket, end.Token));
        scene.Serve(DeafPort, _ => EndOf(end.Token));

        Socket[] sockets = SocksClient.Sockets(scene.Lab.Client, 2 * Sleepers);
        var sending = new List<Task>();
        try
        {
            int refused = 0;
            await Parallel.ForEachAsync(sockets.Index(), new ParallelOptions { MaxDegreeOfParallelism = 50, CancellationToken = end.Token }, async (s, cancel) =>
            {
                bool endless = s.Index % 2 == 0;
                if (await SocksClient.ConnectAsync(s.Item, LabAddresses.Internet.ToString(), endless ? EndlessPort : DeafPort, cancel) != 0)
                {
                    Interlocked.Increment(ref refused);
                }
                else if (!endless)
                {
                    lock (sending)
                    {
                        sending.Add(SendAsync(s.Item, end.Token));
                    }
                }
            });

            // While all of them press, whole transfers with the bytes compared, both ways.
            await Task.WhenAll(Enumerable.Range(0, Readers).Select(n => n % 2 == 0
                ? scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 5_000_000)
                : scene.Curl.UploadAsync(WayIn.SocksV4, 1, 5_000_000)));

            JsonElement status = await scene.Product.StatusAsync();
            output.WriteLine(
                $"{2 * Sleepers} flows that nobody reads, {refused} refused, {status.GetProperty("flows").GetProperty("active").GetInt64()} active; peak VPS {ofVps.PeakBytes / 1e6:0.0} MB, gateway {ofGateway.PeakBytes / 1e6:0.0} MB");
            refused.ShouldBe(0);
            status.GetProperty("flows").GetProperty("active").GetInt64().ShouldBeGreaterThan(Sleepers);
            scene.Product.Vps.HasExited.ShouldBeFalse();
            scene.Product.Gateway.HasExited.ShouldBeFalse();
            (ofVps.Kills + ofGateway.Kills).ShouldBe(0);
        }
        finally
        {
            await end.CancelAsync();
            Array.ForEach(sockets, s => s.Dispose());
            await Task.WhenAll(sending);
        }

        // With the sleepers gone there is nothing left of them.
        await scene.Product.WaitForStatusAsync(s => s.GetProperty("flows").GetProperty("active").GetInt64() == 0, "the end of all flows", TimeSpan.FromSeconds(60));
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 5_000_000);
        (ofVps.Kills + ofGateway.Kills).ShouldBe(0);
    }

    private static async Task EndOf(CancellationToken cancellationToken) =>
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>As much as goes, until the other side or the test ends.</summary>
    private static async Task SendAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] chunk = new byte[64 << 10];
        try
        {
            while (true)
            {
                await socket.SendAsync(chunk, cancellationToken);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The end.
        }
    }
}
