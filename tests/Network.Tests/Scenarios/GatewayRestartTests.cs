using System.Diagnostics;
using Aggregator.Interop;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>However the gateway ends: the next start works at once and doubles nothing, and `down` leaves the host as it was.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class GatewayRestartTests(ITestOutputHelper output)
{
    /// <summary>What a user had before us: of every kind that we make ourselves.</summary>
    private const string UsersThings =
        """
        ip rule add from 10.99.0.0/24 table 4242 priority 5000
        ip route add blackhole 10.99.1.0/24 table 4242
        ip -6 rule add from fd99::/64 table 4242 priority 5001
        ip route add 10.99.2.0/24 dev lan0
        ip mptcp endpoint add 192.168.77.1 dev lan0 signal
        nft 'add table inet mine; add chain inet mine input { type filter hook input priority 5; }; add rule inet mine input tcp dport 9999 counter accept'
        """;

    [SkippableFact]
    public async Task Killed_and_started_again_doubles_nothing_and_down_leaves_the_host_as_it_was()
    {
        await using Scene scene = await Scene.PrepareAsync();
        LabHost host = scene.Lab.Gateway;
        await host.ShellAsync(UsersThings);
        string before = await HostPicture.ReadAsync(host);

        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        HostPicture.Difference(before, await HostPicture.ReadAsync(host)).ShouldBeEmpty("pairing changes nothing of the network");
        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();
        string first = await SettledAsync(host);
        first.ShouldNotBe(before);
        await EveryWayAsync(scene);

        for (int round = 1; round <= 2; round++)
        {
            scene.Product.Gateway.Signal(Libc.SIGKILL);
            await scene.Product.Gateway.WaitForExitAsync();
            long killed = Stopwatch.GetTimestamp();
            scene.Product.StartGateway();
            await scene.Product.WaitForConnectedAsync();
            output.WriteLine($"start {round} after kill -9: connected after {Stopwatch.GetElapsedTime(killed).TotalMilliseconds:0} ms");
            await EveryWayAsync(scene);
            await SameAsync(() => HostPicture.ReadComparableAsync(host), first, $"start {round} after kill -9");
        }

        // With the daemon running.
        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
        await scene.Product.Gateway.WaitForExitAsync();
        scene.Product.Gateway.ExitCode.ShouldBe(0);
        HostPicture.Difference(before, await HostPicture.ReadAsync(host)).ShouldBeEmpty();

        // Nothing is left to do.
        (await scene.Product.GatewayCommandAsync("down")).OutputOrThrow();
        HostPicture.Difference(before, await HostPicture.ReadAsync(host)).ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Down_after_a_crash_and_after_an_ordinary_end_leaves_the_host_as_it_was()
    {
        await using Scene scene = await Scene.PrepareAsync();
        LabHost host = scene.Lab.Gateway;
        await host.ShellAsync(UsersThings);
        string before = await HostPicture.ReadAsync(host);
        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();

        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();
        scene.Product.Gateway.Signal(Libc.SIGKILL);
        await scene.Product.Gateway.WaitForExitAsync();
        (await HostPicture.ReadAsync(host)).ShouldNotBe(before, "a crash leaves things, else `down` has nothing to show here");
        ToolResult down = await scene.Product.GatewayCommandAsync("down");
        output.WriteLine(down.OutputOrThrow());
        HostPicture.Difference(before, await HostPicture.ReadAsync(host)).ShouldBeEmpty();

        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();
        (await scene.Product.Gateway.StopAsync()).ShouldBe(0, scene.Product.Gateway.Transcript());
        await scene.Product.GatewayCommandAsync("down");
        HostPicture.Difference(before, await HostPicture.ReadAsync(host)).ShouldBeEmpty();
        (await scene.Product.GatewayCommandAsync("status")).ExitCode.ShouldBe(3);
    }

    [SkippableFact]
    public async Task A_wan_that_goes_while_the_gateway_is_dead_is_no_obstacle()
    {
        await using Scene scene = await Scene.StartAsync();
        scene.Product.Gateway.Signal(Libc.SIGKILL);
        await scene.Product.Gateway.WaitForExitAsync();
        await scene.Lab.Wans[0].RemoveAsync();
        scene.Product.StartGateway();
        await scene.Product.WaitForStatusAsync(
            s => s.GetProperty("node").GetProperty("state").GetString() == "connected", "connection over what is left", TimeSpan.FromSeconds(30));
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
        await scene.Lab.Wans[0].RestoreAsync();
        await scene.Product.WaitForConnectedAsync();
    }

    private static async Task EveryWayAsync(Scene scene)
    {
        await scene.Curl.DownloadAsync(WayIn.SocksName, 1, 20_000);
        await scene.Curl.DownloadAsync(WayIn.HttpV4, 1, 20_000);
        await scene.Curl.UploadAsync(WayIn.TransparentV4, 1, 20_000);
        await scene.Curl.DownloadAsync(WayIn.TransparentV6, 1, 20_000);
    }

    /// <summary>Sizes and endpoints follow what the links turn out to be, a moment after the start.</summary>
    private static async Task<string> SettledAsync(LabHost host)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        string last = await HostPicture.ReadComparableAsync(host);
        for (int same = 0; same < 3;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), limit.Token);
            string now = await HostPicture.ReadComparableAsync(host);
            same = now == last ? same + 1 : 0;
            last = now;
        }

        return last;
    }

    private static async Task SameAsync(Func<Task<string>> read, string wanted, string what)
    {
        long began = Stopwatch.GetTimestamp();
        string now;
        while ((now = await read()) != wanted && Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        HostPicture.Difference(wanted, now).ShouldBeEmpty(what);
    }
}
