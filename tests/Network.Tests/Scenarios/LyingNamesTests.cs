using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>The gateway's host resolves the VPS's name to somebody who is not it.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class LyingNamesTests
{
    private const string Name = "vps.test";

    /// <summary>A name's life and half a minute more.</summary>
    private static readonly TimeSpan Believed = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(90);

    [SkippableFact]
    public async Task A_gateway_that_starts_behind_the_lie_finds_the_VPS_that_it_knew()
    {
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings { Public = [Name] });
        string folder = $"/etc/netns/{scene.Lab.Gateway.Name}", hosts = Path.Combine(folder, "hosts");
        Directory.CreateDirectory(folder);
        try
        {
            await File.WriteAllTextAsync(hosts, $"{LabAddresses.Vps} {Name}\n");
            await scene.Product.StartVpsAsync();
            await scene.Product.PairAsync();
            scene.Product.StartGateway();
            await scene.Product.WaitForConnectedAsync();

            // A portal's resolver: somebody who answers, and is not the VPS. However the gateway ended.
            await File.WriteAllTextAsync(hosts, $"{LabAddresses.Internet} {Name}\n");
            scene.Product.Gateway.Kill();
            await scene.Product.Gateway.WaitForExitAsync();
            scene.Product.StartGateway();
            await scene.Product.WaitForConnectedAsync(Generous);
            await scene.Product.WaitForStatusAsync(
                s => s.GetProperty("links").EnumerateArray().All(l => l.GetProperty("state").GetString() == "up"), "every link up", Generous);
            await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Two minutes for what VpsNamesTests show of the decision alone: on request.</summary>
    [SkippableFact]
    public async Task What_works_goes_on_and_a_restarted_VPS_is_found_again()
    {
        Skip.IfNot(Environment.GetEnvironmentVariable("AGGREGATOR_SLOW_TESTS") == "1", "slow: set AGGREGATOR_SLOW_TESTS=1");
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings { Public = [Name] });
        string folder = $"/etc/netns/{scene.Lab.Gateway.Name}", hosts = Path.Combine(folder, "hosts");
        Directory.CreateDirectory(folder);
        try
        {
            await File.WriteAllTextAsync(hosts, $"{LabAddresses.Vps} {Name}\n");
            await scene.Product.StartVpsAsync();
            await scene.Product.PairAsync();
            scene.Product.StartGateway();
            await scene.Product.WaitForConnectedAsync();

            // Nobody is there: believed, every link would be down.
            await File.WriteAllTextAsync(hosts, $"192.0.2.1 {Name}\n");
            using var believed = new CancellationTokenSource(Believed);
            while (!believed.IsCancellationRequested)
            {
                JsonElement status = await scene.Product.StatusAsync();
                status.GetProperty("node").GetProperty("state").GetString().ShouldBe("connected");
                status.GetProperty("links").EnumerateArray().ShouldAllBe(l => l.GetProperty("state").GetString() == "up");
                await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
                await Task.Delay(TimeSpan.FromSeconds(2));
            }

            scene.Product.Vps.Kill();
            await scene.Product.WaitForStatusAsync(s => s.GetProperty("node").GetProperty("state").GetString() == "unreachable", "the VPS gone", Generous);
            await scene.Product.StartVpsAsync();
            await scene.Product.WaitForConnectedAsync(Generous);
            await scene.Curl.DownloadAsync(WayIn.SocksV4, 2, 100_000);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
