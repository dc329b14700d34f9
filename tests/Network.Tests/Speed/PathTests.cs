using System.Text.Json;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>Boxes that take MPTCP away, each kind of them named for what it is, while another link works.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class PathTests(ITestOutputHelper output)
{
    /// <summary>So many boxes stand in a line each at a time; a run of the speed test takes three seconds a line.</summary>
    private const int OddLines = 5;

    private static readonly WanSpec[] Wans =
    [
        new("good") { DownMbps = 20, UpMbps = 10, DelayMs = 5 },
        .. Enumerable.Range(1, OddLines).Select(n => new WanSpec($"odd{n}") { DownMbps = 20, UpMbps = 10, DelayMs = 10 + n }),
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
        await using Scene scene = await Scene.StartAsync(
            new ProductSettings { Carrier = carrier }, [Wans[0], Wans[1] with { Interference = MptcpInterference.StripDataDown }, .. Wans.Skip(2)]);
        await scene.Product.WaitForStatusAsync(
            s => Wans.All(w => s.Link(w.Name).Text("mptcp") == (w.Name == "odd1" ? "stripped" : "v1")), "verification of all paths", TimeSpan.FromSeconds(60));
        var misses = new List<string>();
        foreach (var boxes in kinds.Chunk(OddLines))
        {
            for (int i = 0; i < OddLines; i++)
            {
                scene.Lab.Wans[$"odd{i + 1}"].Interference = i < boxes.Length ? boxes[i].Box : MptcpInterference.None;
            }

            JsonElement result = await scene.SpeedtestAsync("--no-bonded", "--down", "--duration", "1s");
            JsonElement status = await scene.Product.StatusAsync();
            JsonElement good = result.Link("good");
            output.WriteLine(result.Text("verdict"));
            if (good.Text("mptcp") != "v1")
            {
                misses.Add($"good {good.Text("mptcp")} {good.Text("mptcp_where")}");
            }

            foreach (var ((box, mptcp, where), n) in boxes.Select((b, i) => (b, i + 1)))
            {
                JsonElement odd = result.Link($"odd{n}");
                string line = $"{box}: {odd.Text("mptcp")} {odd.Text("mptcp_where")} ({odd.Text("mptcp_text")})";
                output.WriteLine(line);
                if (status.Link($"odd{n}").Text("mptcp") != mptcp)
                {
                    misses.Add($"{box}: status says {status.Link($"odd{n}").Text("mptcp")}");
                }

                if (odd.Text("mptcp") != mptcp || odd.Text("mptcp_where") != where)
                {
                    misses.Add(line);
                }
            }
        }

        misses.ShouldBeEmpty();
    }
}
