using System.Diagnostics;
using System.Net.Sockets;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>Two thousand flows at once: none is lost, memory stays small, and nothing is left of them afterwards.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class ManyFlowsTests(ITestOutputHelper output)
{
    private const int Flows = 2000;
    private const int EchoPort = 5400;
    private const long MostVpsBytes = 200_000_000;

    /// <summary>Connections that the pool keeps ready come and go by themselves: up to its most (64), and the runtime's own few.</summary>
    private const int Slack = 90;

    [SkippableFact]
    public async Task Two_thousand_at_once()
    {
        // Lines that do not limit: the processors do here.
        await using Scene scene = await Scene.StartAsync(wans: [new("one") { DelayMs = 5 }, new("two") { DelayMs = 15 }]);
        scene.Serve(EchoPort, TargetServer.EchoAsync);
        AggregatorUnderTest product = scene.Product;

        // One flow first: what compiling needs is there then.
        using (Socket first = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), EchoPort))
        {
            await EchoAsync(first, 0);
        }

        int gatewayBefore = Descriptors(product.Gateway), vpsBefore = Descriptors(product.Vps);
        Print("before", product);
        Socket[] sockets = SocksClient.Sockets(scene.Lab.Client, Flows);
        try
        {
            long began = Stopwatch.GetTimestamp();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
            await Task.WhenAll(sockets.Select(async (socket, i) =>
            {
                (await SocksClient.ConnectAsync(socket, LabAddresses.Internet.ToString(), EchoPort, limit.Token)).ShouldBe((byte)0, $"flow {i}");
                await EchoAsync(socket, i, limit.Token);
            }));
            output.WriteLine($"{Flows} flows opened and echoed in {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
            Print("open", product);
            (await product.StatusAsync()).GetProperty("flows").GetProperty("active").GetInt64().ShouldBe(Flows);

            // All of them again, after a while of nothing: the idle ones still live.
            await Task.WhenAll(sockets.Select((socket, i) => EchoAsync(socket, i, limit.Token)));
            Print("idle", product);
            ProcessUsage.Of(product.Vps.Id).PeakResidentBytes.ShouldBeLessThan(MostVpsBytes);
        }
        finally
        {
            foreach (Socket socket in sockets)
            {
                socket.Dispose();
            }
        }

        await LabTest.UntilAsync(
            () => Descriptors(product.Gateway) <= gatewayBefore + Slack && Descriptors(product.Vps) <= vpsBefore + Slack,
            $"descriptors as before (gateway {gatewayBefore}, VPS {vpsBefore})",
            TimeSpan.FromSeconds(30));
        Print("closed", product);
        (await product.StatusAsync()).GetProperty("flows").GetProperty("active").GetInt64().ShouldBe(0);
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
    }

    private static async Task EchoAsync(Socket socket, int number, CancellationToken cancellationToken = default)
    {
        byte[] sent = BitConverter.GetBytes(number * 31L), got = new byte[sizeof(long)];
        await socket.SendAsync(sent, cancellationToken);
        await SocksClient.ReadAsync(socket, got, cancellationToken);
        got.ShouldBe(sent);
    }

    private static int Descriptors(LabProcess process) => Directory.GetFiles($"/proc/{process.Id}/fd").Length;

    private void Print(string when, AggregatorUnderTest product)
    {
        foreach (LabProcess process in (LabProcess[])[product.Gateway, product.Vps])
        {
            ProcessUsage usage = ProcessUsage.Of(process.Id);
            output.WriteLine(
                $"{when}: {process.Title}: {usage.ResidentBytes / 1e6:0.0} MB (peak {usage.PeakResidentBytes / 1e6:0.0} MB), {Descriptors(process)} descriptors, {usage.CpuSeconds:0.0} CPU s");
        }
    }
}
