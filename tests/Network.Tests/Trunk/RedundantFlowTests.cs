using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Trunk;

/// <summary>
/// Flows that the gateway's configuration marks go over two lines both ways, whichever way they came in, and the line that falls silent
/// takes none of their bytes along. Told by bytes and copies, not by times; that no time is lost is shown where the clock stands still.
/// </summary>
[Collection(ScenarioCollection.Name)]
public sealed class RedundantFlowTests(ITestOutputHelper output)
{
    private const int MarkedPort = 5510;
    private const int OtherPort = 5511;
    private const int MessageBytes = 300;
    private const int Rounds = 40;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    private static readonly ProductSettings Settings = new() { Carrier = "trunk", GatewayMore = $"redundant:\n  - ports: [{MarkedPort}]\n" };

    [SkippableFact]
    public async Task Marked_flows_go_twice_both_ways_from_every_way_in_and_a_silent_line_holds_up_none()
    {
        await using Scene scene = await Scene.StartAsync(Settings, [.. Scene.TwoWans, new("dsl") { DownMbps = 10, UpMbps = 10, DelayMs = 25 }]);
        scene.Serve(MarkedPort, TargetServer.EchoAsync);
        scene.Serve(OtherPort, TargetServer.EchoAsync);
        await scene.Product.WaitForStatusAsync(
            s => s.GetProperty("trunk").GetProperty("lanes").EnumerateArray().Count(l => l.GetProperty("state").GetString() == "carrying") == 3, "its lanes", Generous);
        using var limit = new CancellationTokenSource(Generous);

        using Socket other = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), OtherPort, limit.Token);
        await AskAsync([other], limit.Token);
        (await CostAsync(scene)).ShouldBe((0, 0, 0), "not marked");

        Socket[] flows =
        [
            await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), MarkedPort, limit.Token),
            await HttpAsync(scene, limit.Token),
            await TransparentAsync(scene, limit.Token),
        ];
        try
        {
            await AskAsync(flows, limit.Token);
            long payload = flows.Length * Rounds * MessageBytes;
            var before = await CostAsync(scene);
            before.Streams.ShouldBe(flows.Length);
            before.Up.ShouldBeInRange(Least(payload), Most(payload), "each byte a second time");
            before.Down.ShouldBeInRange(Least(payload), Most(payload), "the answers too");

            long carried = Carried(scene);
            scene.Lab.Wans["fibre"].BlackHole = true;
            await AskAsync(flows, limit.Token);
            var after = await CostAsync(scene);
            output.WriteLine($"{payload} B each way: {before.Up} and {before.Down} B of copies; the same with a silent line: {after.Up - before.Up} and {after.Down - before.Down} B");
            (after.Up - before.Up).ShouldBeInRange(Least(payload), Most(payload));
            (after.Down - before.Down).ShouldBeInRange(Least(payload), Most(payload));
            (Carried(scene) - carried).ShouldBeGreaterThan(2 * payload, "the other two lines had it all");
        }
        finally
        {
            Array.ForEach(flows, f => f.Dispose());
        }
    }

    /// <summary>A frame that is overdue goes again, with a copy of its own; one that is acknowledged before its copy's turn has none.</summary>
    private static long Most(long payload) => payload * 3 / 2;

    private static long Least(long payload) => payload * 8 / 10;

    /// <summary>Requests one after the other on each flow, each with its answer.</summary>
    private static Task AskAsync(Socket[] flows, CancellationToken cancellationToken) => Task.WhenAll(flows.Select(async (flow, n) =>
    {
        byte[] sent = new byte[MessageBytes], got = new byte[MessageBytes];
        for (int round = 0; round < Rounds; round++)
        {
            new Random((n * 1000) + round).NextBytes(sent);
            await flow.SendAsync(sent, cancellationToken);
            await SocksClient.ReadAsync(flow, got, cancellationToken);
            got.AsSpan().SequenceEqual(sent).ShouldBeTrue();
        }
    }));

    private static long Carried(Scene scene) => ((string[])["lte", "dsl"]).Sum(w => scene.Lab.Wans[w].Down.Counters.BytesDelivered + scene.Lab.Wans[w].Up.Counters.BytesDelivered);

    private static async Task<(int Streams, long Up, long Down)> CostAsync(Scene scene)
    {
        JsonElement near = (await scene.Product.StatusAsync()).GetProperty("trunk");
        using JsonDocument vps = JsonDocument.Parse((await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        JsonElement far = vps.RootElement.GetProperty("gateways")[0].GetProperty("trunk");
        far.GetProperty("redundant_streams").GetInt32().ShouldBe(near.GetProperty("redundant_streams").GetInt32());
        return (near.GetProperty("redundant_streams").GetInt32(), near.GetProperty("redundant_bytes").GetInt64(), far.GetProperty("redundant_bytes").GetInt64());
    }

    private static async Task<Socket> HttpAsync(Scene scene, CancellationToken cancellationToken)
    {
        Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
        await socket.ConnectAsync(scene.Product.Http, cancellationToken);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"CONNECT {LabAddresses.Internet}:{MarkedPort} HTTP/1.1\r\nHost: {LabAddresses.Internet}:{MarkedPort}\r\n\r\n"), cancellationToken);
        var answer = new StringBuilder();
        byte[] one = new byte[1];
        while (!answer.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await SocksClient.ReadAsync(socket, one, cancellationToken);
            answer.Append((char)one[0]);
        }

        answer.ToString().ShouldStartWith("HTTP/1.1 200");
        return socket;
    }

    private static async Task<Socket> TransparentAsync(Scene scene, CancellationToken cancellationToken)
    {
        Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
        await socket.ConnectAsync(new IPEndPoint(LabAddresses.Internet, MarkedPort), cancellationToken);
        return socket;
    }
}
