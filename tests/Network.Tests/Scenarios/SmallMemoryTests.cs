using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>A VPS that may have 256 MB: it carries what the processors can, knows its limit, refuses in words what it has no room for, and recovers.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class SmallMemoryTests(ITestOutputHelper output)
{
    private const long LimitBytes = 256L << 20;
    private const int BulkPort = 5500;
    private const int SinkPort = 5501;
    private const int EchoPort = 5502;
    private const int Flows = 100;
    private const int BytesEach = 3 << 20;

    /// <summary>More than fit into <see cref="TightLimitBytes"/>: an idle flow over a connection of its own takes about 36 KB of the VPS's process.</summary>
    private const int TooManyFlows = 4500;

    private const long TightLimitBytes = 160L << 20;

    /// <summary>To be left when all are refused: the end of thousands of flows at once needs some too, and where 5 MB were left the daemon was once gone afterwards.</summary>
    private const long LeastLeftBytes = 12L << 20;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(150);

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Full_rate_over_many_flows(bool limited)
    {
        await using MemoryCgroup group = await MemoryCgroup.CreateAsync(limited ? LimitBytes : 64L << 30);
        // Lines that do not limit: the processors do here.
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { VpsLauncher = group.Launcher }, [new("one") { DelayMs = 5 }, new("two") { DelayMs = 15 }]);
        scene.Serve(BulkPort, SendAsync);
        scene.Serve(SinkPort, CountAsync);

        long began = Stopwatch.GetTimestamp();
        Socket[] sockets = SocksClient.Sockets(scene.Lab.Client, 2 * Flows);
        try
        {
            using var limit = new CancellationTokenSource(Generous);
            await Task.WhenAll(sockets.Select((socket, i) => i % 2 == 0 ? DownloadAsync(socket, limit.Token) : UploadAsync(socket, limit.Token)));
        }
        finally
        {
            Array.ForEach(sockets, s => s.Dispose());
            output.WriteLine(string.Join('\n', scene.Product.Vps.Error.Concat(scene.Product.Gateway.Error).Where(l => l.Contains("emory", StringComparison.Ordinal))));
        }

        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        output.WriteLine(FormattableString.Invariant(
            $"{2 * Flows} flows of {BytesEach >> 20} MiB both ways, {(limited ? "256 MB" : "no limit")}: {2L * Flows * BytesEach * 8 / 1e6 / seconds:0} Mbit/s; peak of the group {group.PeakBytes / 1e6:0.0} MB, of the process {ProcessUsage.Of(scene.Product.Vps.Id).PeakResidentBytes / 1e6:0.0} MB resident"));
        group.Kills.ShouldBe(0);
        scene.Product.Vps.HasExited.ShouldBeFalse();
        JsonElement health = await HealthAsync(scene);
        health.GetProperty("process").GetProperty("rss_bytes").GetInt64().ShouldBeGreaterThan(0);
        if (limited)
        {
            health.GetProperty("memory").GetProperty("total_bytes").GetInt64().ShouldBe(LimitBytes);
            Findings(health).ShouldContain("memory-small");
            // The gateway hears of it by itself.
            await scene.Product.WaitForStatusAsync(
                s => s.GetProperty("vps") is { ValueKind: JsonValueKind.Object } vps
                    && vps.GetProperty("memory").GetProperty("total_bytes").GetInt64() == LimitBytes
                    && s.GetProperty("warnings").EnumerateArray().Any(w => w.GetProperty("code").GetString() == "vps-memory-small"),
                "the VPS's small memory in the gateway's status",
                TimeSpan.FromSeconds(10));
        }
    }

    [SkippableFact]
    public async Task More_flows_than_fit_are_refused_in_words()
    {
        await using MemoryCgroup group = await MemoryCgroup.CreateAsync(TightLimitBytes);
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { VpsLauncher = group.Launcher, Carrier = "mptcp" }, [new("one") { DelayMs = 5 }, new("two") { DelayMs = 15 }]);
        scene.Serve(EchoPort, TargetServer.EchoAsync);
        Socket[] sockets = SocksClient.Sockets(scene.Lab.Client, TooManyFlows);
        int opened = 0, refused = 0;
        try
        {
            using var limit = new CancellationTokenSource(Generous);
            // As fast as a few hundred clients would, until somebody is refused.
            await Parallel.ForEachAsync(sockets, new ParallelOptions { MaxDegreeOfParallelism = 100, CancellationToken = limit.Token }, async (socket, cancel) =>
            {
                if (Volatile.Read(ref refused) > 50)
                {
                    return;
                }

                byte reply = await SocksClient.ConnectAsync(socket, LabAddresses.Internet.ToString(), EchoPort, cancel);
                if (reply == 0)
                {
                    await EchoAsync(socket, cancel);
                    Interlocked.Increment(ref opened);
                }
                else
                {
                    Interlocked.Increment(ref refused);
                }
            });
            output.WriteLine($"{opened} flows open, {refused} refused; the group has {group.UsageBytes / 1e6:0.0} MB, at most {group.PeakBytes / 1e6:0.0} MB");
            output.WriteLine(string.Join('\n', scene.Product.Vps.Error.Where(l => l.Contains("emory", StringComparison.Ordinal))));
            group.Kills.ShouldBe(0);
            scene.Product.Vps.HasExited.ShouldBeFalse();
            (TightLimitBytes - group.PeakBytes).ShouldBeGreaterThan(LeastLeftBytes);
            refused.ShouldBeGreaterThan(0);
            opened.ShouldBeGreaterThan(500);
        }
        finally
        {
            Array.ForEach(sockets, s => s.Dispose());
        }

        // What was open goes, and there is room again.
        using var after = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 1_000_000);
                break;
            }
            catch (IOException) when (!after.IsCancellationRequested)
            {
                scene.Product.Vps.HasExited.ShouldBeFalse();
                await Task.Delay(200);
            }
        }

        group.Kills.ShouldBe(0);
        output.WriteLine($"afterwards the group has {group.UsageBytes / 1e6:0.0} MB");
    }

    private static async Task<JsonElement> HealthAsync(Scene scene)
    {
        using JsonDocument health = JsonDocument.Parse((await scene.Product.VpsCommandAsync("health", "--json")).Output);
        return health.RootElement.Clone();
    }

    private static IEnumerable<string?> Findings(JsonElement health) =>
        health.GetProperty("findings").EnumerateArray().Select(f => f.GetProperty("code").GetString());

    private static async Task SendAsync(Socket socket)
    {
        byte[] chunk = Chunk();
        for (int sent = 0; sent < BytesEach; sent += chunk.Length)
        {
            await socket.SendAsync(chunk);
        }

        socket.Shutdown(SocketShutdown.Send);
        await socket.ReceiveAsync(new byte[1]);
    }

    private static async Task DownloadAsync(Socket socket, CancellationToken cancellationToken)
    {
        (await SocksClient.ConnectAsync(socket, LabAddresses.Internet.ToString(), BulkPort, cancellationToken)).ShouldBe((byte)0);
        byte[] buffer = new byte[64 << 10], chunk = Chunk();
        for (int got = 0; got < BytesEach; got += buffer.Length)
        {
            await SocksClient.ReadAsync(socket, buffer, cancellationToken);
            buffer.AsSpan().SequenceEqual(chunk).ShouldBeTrue();
        }

        (await socket.ReceiveAsync(buffer, cancellationToken)).ShouldBe(0);
    }

    /// <summary>Answers with the number of bytes that were as they should be.</summary>
    private static async Task CountAsync(Socket socket)
    {
        byte[] buffer = new byte[64 << 10], chunk = Chunk();
        int good = 0;
        for (int got = 0; got < BytesEach; got += buffer.Length)
        {
            await SocksClient.ReadAsync(socket, buffer, default);
            good += buffer.AsSpan().SequenceEqual(chunk) ? buffer.Length : 0;
        }

        await socket.SendAsync(BitConverter.GetBytes(good));
    }

    private static async Task UploadAsync(Socket socket, CancellationToken cancellationToken)
    {
        (await SocksClient.ConnectAsync(socket, LabAddresses.Internet.ToString(), SinkPort, cancellationToken)).ShouldBe((byte)0);
        byte[] chunk = Chunk(), answer = new byte[sizeof(int)];
        for (int sent = 0; sent < BytesEach; sent += chunk.Length)
        {
            await socket.SendAsync(chunk, cancellationToken);
        }

        await SocksClient.ReadAsync(socket, answer, cancellationToken);
        BitConverter.ToInt32(answer).ShouldBe(BytesEach);
    }

    private static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] got = new byte[4];
        await socket.SendAsync("echo"u8.ToArray(), cancellationToken);
        await SocksClient.ReadAsync(socket, got, cancellationToken);
        got.ShouldBe("echo"u8.ToArray());
    }

    private static byte[] Chunk()
    {
        byte[] chunk = new byte[64 << 10];
        new Random(7).NextBytes(chunk);
        return chunk;
    }
}
