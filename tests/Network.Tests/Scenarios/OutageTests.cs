using System.Diagnostics;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

public enum Outage
{
    BlackHole,
    InterfaceGone,
    CarrierLost,
}

/// <summary>A WAN goes away in the middle of transfers and comes back: none is lost, and the WAN is used again within two seconds.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class OutageTests(ITestOutputHelper output)
{
    private const int TransfersEachWay = 10;
    private const int BytesEach = 2_500_000;

    /// <summary>Payload beyond doubt: probes and handshakes of the time together are less.</summary>
    private const long SomeBytes = 150_000;

    private static readonly TimeSpan InTime = TimeSpan.FromSeconds(2);

    /// <summary>Equal lines, so that each has its part in whatever goes on.</summary>
    private static WanSpec[] Wans { get; } =
    [
        new("one") { DownMbps = 20, UpMbps = 20, DelayMs = 10 },
        new("two") { DownMbps = 20, UpMbps = 20, DelayMs = 15 },
    ];

    [SkippableTheory]
    [InlineData(Outage.BlackHole, "one")]
    [InlineData(Outage.BlackHole, "two")]
    [InlineData(Outage.InterfaceGone, "one")]
    [InlineData(Outage.InterfaceGone, "two")]
    [InlineData(Outage.CarrierLost, "one")]
    [InlineData(Outage.CarrierLost, "two")]
    public async Task Twenty_transfers_survive_and_the_wan_is_used_again(Outage outage, string name)
    {
        await using Scene scene = await Scene.StartAsync(wans: Wans);
        LabWan wan = scene.Lab.Wans[name], other = scene.Lab.Wans.First(w => w.Name != name);
        WayIn[] ways = [WayIn.SocksV4, WayIn.HttpV4, WayIn.TransparentV4, WayIn.TransparentV6, WayIn.SocksName];

        long began = Stopwatch.GetTimestamp();
        Task transfers = Task.WhenAll(Enumerable.Range(0, TransfersEachWay).SelectMany(i => (Task[])
        [
            scene.Curl.DownloadAsync(ways[i % ways.Length], i, BytesEach),
            scene.Curl.UploadAsync(ways[i % ways.Length], 1000 + i, BytesEach),
        ]));
        await CarriesAsync(wan, transfers, "both directions before the outage");
        await CarriesAsync(other, transfers, "both directions before the outage");

        await FailAsync(wan, outage);
        long failed = Stopwatch.GetTimestamp();
        await CarriesAsync(other, transfers, "both directions of what is left");
        output.WriteLine($"{outage} of {name} after {Stopwatch.GetElapsedTime(began, failed).TotalSeconds:0.0} s; the other WAN carried both ways {Stopwatch.GetElapsedTime(failed).TotalMilliseconds:0} ms later");
        // Long enough that the gateway has taken notice and old subflows have backed off far.
        await scene.Product.WaitForStatusAsync(s => State(s, name) == "down", $"{name} down", TimeSpan.FromSeconds(10));
        await CarriesAsync(other, transfers, "both directions while the WAN is known to be down");

        // A flow of this time does not notice either.
        long fresh = Stopwatch.GetTimestamp();
        await scene.Curl.DownloadAsync(WayIn.SocksV4, 77, 1000);
        output.WriteLine($"a new flow during the outage took {Stopwatch.GetElapsedTime(fresh).TotalMilliseconds:0} ms");

        long back = Stopwatch.GetTimestamp();
        await RepairAsync(wan, outage);
        transfers.IsCompleted.ShouldBeFalse("the transfers have to last beyond the return for this to show anything");
        await CarriesAsync(wan, transfers, "both directions after its return");
        TimeSpan returned = Stopwatch.GetElapsedTime(back);
        output.WriteLine($"back after {Stopwatch.GetElapsedTime(failed, back).TotalSeconds:0.0} s; {SomeBytes} bytes each way over it {returned.TotalMilliseconds:0} ms later");

        await transfers;
        output.WriteLine($"all {2 * TransfersEachWay} complete after {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
        returned.ShouldBeLessThanOrEqualTo(InTime);
    }

    private static string? State(System.Text.Json.JsonElement status, string link) => status.GetProperty("links").EnumerateArray()
        .First(l => l.GetProperty("name").GetString() == link).GetProperty("state").GetString();

    /// <summary>Waits until the WAN has carried payload in both directions from now on.</summary>
    private static async Task CarriesAsync(LabWan wan, Task transfers, string what)
    {
        long down = wan.Down.Counters.BytesDelivered, up = wan.Up.Counters.BytesDelivered;
        await LabTest.UntilAsync(
            () =>
            {
                if (transfers.IsFaulted)
                {
                    transfers.GetAwaiter().GetResult();
                }

                return wan.Down.Counters.BytesDelivered - down > SomeBytes && wan.Up.Counters.BytesDelivered - up > SomeBytes;
            },
            $"{wan.Name} carries {what} (now {wan.Down.Counters.BytesDelivered - down} down, {wan.Up.Counters.BytesDelivered - up} up; transfers {transfers.Status})",
            TimeSpan.FromSeconds(30));
    }

    private static async Task FailAsync(LabWan wan, Outage outage)
    {
        switch (outage)
        {
            case Outage.BlackHole:
                wan.BlackHole = true;
                break;
            case Outage.InterfaceGone:
                await wan.RemoveAsync();
                break;
            default:
                await wan.CarrierAsync(false);
                break;
        }
    }

    private static async Task RepairAsync(LabWan wan, Outage outage)
    {
        switch (outage)
        {
            case Outage.BlackHole:
                wan.BlackHole = false;
                break;
            case Outage.InterfaceGone:
                await wan.RestoreAsync();
                break;
            default:
                await wan.CarrierAsync(true);
                break;
        }
    }
}
