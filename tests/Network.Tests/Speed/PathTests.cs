using System.Text.Json;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>Boxes that take MPTCP away, each kind of them named for what it is, while the other link works.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class PathTests(ITestOutputHelper output)
{
    private static readonly WanSpec[] Wans =
    [
        new("good") { DownMbps = 20, UpMbps = 10, DelayMs = 5 },
        new("odd") { DownMbps = 20, UpMbps = 10, DelayMs = 15 },
    ];

    [SkippableTheory]
    [InlineData("trunk")]
    [InlineData("mptcp")]
    public async Task Each_kind_of_stripping_is_named(string carrier)
    {
        Skip.If(carrier != "trunk" && Environment.GetEnvironmentVariable("AGGREGATOR_SLOW_TESTS") != "1", "by hand: AGGREGATOR_SLOW_TESTS=1");
        (MptcpInterference Box, string Mptcp, string? Where)[] kinds =
        [
            (MptcpInterference.None, "v1", null),
            (MptcpInterference.StripSyn, "stripped", "syn"),
            (MptcpInterference.StripSynAck, "stripped", "synack"),
            (MptcpInterference.StripDataUp, "stripped", "data"),
            (MptcpInterference.StripDataDown, "stripped", "data"),
            (MptcpInterference.StripJoin, "stripped", "join"),
            (MptcpInterference.DropJoinSyn, "stripped", "join"),
            (MptcpInterference.DropCapableSyn, "stripped", "syn"),
            (MptcpInterference.StripAll, "stripped", "syn"),
        ];
        // The end that sends what is stripped does not see it: the daemon finds it by asking both, without a test.
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = carrier }, [Wans[0], Wans[1] with { Interference = MptcpInterference.StripDataDown }]);
        await scene.Product.WaitForStatusAsync(
            s => s.Link("good").Text("mptcp") == "v1" && s.Link("odd").Text("mptcp") == "stripped", "verification of both paths", TimeSpan.FromSeconds(40));
        var misses = new List<string>();
        foreach (var (box, mptcp, where) in kinds)
        {
            scene.Lab.Wans["odd"].Interference = box;
            JsonElement result = await scene.SpeedtestAsync("--no-bonded", "--down", "--duration", "1s");
            JsonElement odd = result.Link("odd"), good = result.Link("good");
            string line = $"{box}: odd {odd.Text("mptcp")} {odd.Text("mptcp_where")} ({odd.Text("mptcp_text")}), good {good.Text("mptcp")} {good.Text("mptcp_where")}; {result.Text("verdict")}";
            output.WriteLine(line);
            JsonElement status = (await scene.Product.StatusAsync()).Link("odd");
            if (status.Text("mptcp") != mptcp)
            {
                misses.Add($"{box}: status says {status.Text("mptcp")}");
            }

            if (odd.Text("mptcp") != mptcp || odd.Text("mptcp_where") != where || good.Text("mptcp") != "v1")
            {
                misses.Add(line);
            }
        }

        misses.ShouldBeEmpty();
    }
}
