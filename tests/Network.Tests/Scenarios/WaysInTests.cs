using System.Diagnostics;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>curl through every way in, both directions, over both WANs.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class WaysInTests(ITestOutputHelper output)
{
    private const int Bytes = 2_000_000;

    [SkippableFact]
    public async Task Each_way_carries_both_directions_over_both_wans()
    {
        await using Scene scene = await Scene.StartAsync();
        foreach (WayIn way in Enum.GetValues<WayIn>())
        {
            (long[] down, long[] up) = (scene.Lab.Wans.Select(w => w.Down.Counters.BytesDelivered).ToArray(), scene.Lab.Wans.Select(w => w.Up.Counters.BytesDelivered).ToArray());
            long began = Stopwatch.GetTimestamp();
            await scene.Curl.DownloadAsync(way, (int)way, Bytes);
            TimeSpan downloaded = Stopwatch.GetElapsedTime(began);
            await scene.Curl.UploadAsync(way, (int)way, Bytes);
            TimeSpan uploaded = Stopwatch.GetElapsedTime(began) - downloaded;
            for (int i = 0; i < scene.Lab.Wans.Count; i++)
            {
                LabWan wan = scene.Lab.Wans[i];
                (long d, long u) = (wan.Down.Counters.BytesDelivered - down[i], wan.Up.Counters.BytesDelivered - up[i]);
                output.WriteLine($"{way} over {wan.Name}: {100.0 * d / Bytes:0} % down in {downloaded.TotalSeconds:0.0} s, {100.0 * u / Bytes:0} % up in {uploaded.TotalSeconds:0.0} s");
                // Acknowledgements of the other direction are some per cent: a tenth is payload.
                d.ShouldBeGreaterThan(Bytes / 10, $"{way} down over {wan.Name}");
                u.ShouldBeGreaterThan(Bytes / 10, $"{way} up over {wan.Name}");
            }
        }
    }
}
