using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>`revoke` cuts a gateway off at once, and pairing again brings it back without a restart.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class PairingScenarioTests(ITestOutputHelper output)
{
    private const int EchoPort = 5400;
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task Revoke_ends_flows_at_once_and_pairing_again_brings_them_back()
    {
        await using Scene scene = await Scene.StartAsync();
        scene.Serve(EchoPort, TargetServer.EchoAsync);
        using Socket flow = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), EchoPort);
        await flow.SendAsync(new byte[1]);
        await SocksClient.ReadAsync(flow, new byte[1], default);

        (await scene.Product.VpsCommandAsync("revoke", "home")).OutputOrThrow();
        long revoked = Stopwatch.GetTimestamp();
        using (var limit = new CancellationTokenSource(Generous))
        {
            try
            {
                (await flow.ReceiveAsync(new byte[1], limit.Token)).ShouldBe(0);
            }
            catch (SocketException e)
            {
                e.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
            }
        }

        TimeSpan took = Stopwatch.GetElapsedTime(revoked);
        output.WriteLine($"the flow ended {took.TotalMilliseconds:0} ms after `revoke` had returned");
        took.ShouldBeLessThan(TimeSpan.FromSeconds(1));

        await scene.Product.WaitForStatusAsync(s => Node(s).GetProperty("state").GetString() == "unreachable", "saying so", Generous);
        JsonElement node = Node(await scene.Product.StatusAsync());
        node.GetProperty("reason").GetString()!.ShouldContain("pair", Case.Insensitive, node.ToString());
        output.WriteLine(node.GetProperty("reason").GetString()!);
        (await scene.Curl.RunAsync(WayIn.SocksV4, $"{Site.UrlV4}/bytes/1/10")).ExitCode.ShouldNotBe(0);
        (await scene.Product.VpsCommandAsync("gateways")).OutputOrThrow().ShouldNotContain("home");

        await scene.Product.PairAsync("again");
        try
        {
            await scene.Product.WaitForConnectedAsync();
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}\n{scene.Product.Vps.Transcript()}");
        }

        await scene.Curl.DownloadAsync(WayIn.SocksV4, 1, 100_000);
        Node(await scene.Product.StatusAsync()).GetProperty("name").GetString().ShouldBe("again");
    }

    private static JsonElement Node(JsonElement status) => status.GetProperty("node");
}
