using System.Globalization;
using Aggregator.Lab.Faults;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>
/// Some of the faults of the benchmark `faults`, one after the other in one lab: nothing breaks, no byte is wrong, the link is known to be away and
/// used again. How soon is the benchmark's affair.
/// </summary>
[Collection(ScenarioCollection.Name)]
public sealed class FaultTests(ITestOutputHelper output)
{
    private const int Transfers = 20;
    private const int Idle = 20;

    /// <summary>In the benchmark it is twenty; here as long as it takes that everybody has noticed and waits for long timers.</summary>
    private static readonly TimeSpan LongestFault = TimeSpan.FromSeconds(8);

    /// <summary>Those with a way of their own: another address, one direction alone, nothing left.</summary>
    [SkippableTheory]
    [InlineData("trunk", "address-change", "black-hole-up", "all-gone")]
    [InlineData("mptcp", "address-change", "all-gone")]
    public async Task Nothing_breaks_and_every_link_is_used_again(string carrier, params string[] selection)
    {
        WanSpec[] wans = [new("one") { DownMbps = 20, UpMbps = 20, DelayMs = 10 }, new("two") { DownMbps = 20, UpMbps = 20, DelayMs = 15 }];
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = wans });
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, new ProductSettings { Carrier = carrier });
        foreach (LinkFault one in LinkFault.All.Where(f => selection.Contains(f.Name)))
        {
            LinkFault fault = one with { Lasts = one.Lasts < LongestFault ? one.Lasts : LongestFault };
            FaultResult result = await FaultTrial.RunAsync(lab, product, fault, lab.Wans[0], Transfers, Idle);
            string line = string.Create(
                CultureInfo.InvariantCulture,
                $"{result.Fault}: detected after {result.Detected?.TotalMilliseconds:0} ms ({result.State}), gap {result.MedianGap.TotalMilliseconds:0} to {result.WorstGap.TotalMilliseconds:0} ms, recovered after {result.Recovered?.TotalMilliseconds:0} ms");
            output.WriteLine(line);
            (result.TransfersBroken, result.IdleBroken).ShouldBe((0, 0), $"{line}; {string.Join(", ", result.Errors)}\n{product.Gateway.Transcript()}");
            result.Recovered.ShouldNotBeNull($"{line}\n{product.Gateway.Transcript()}");
            if (fault.Expected is not null)
            {
                result.Detected.ShouldNotBeNull(line);
            }

            await product.WaitForConnectedAsync(TimeSpan.FromSeconds(60));
        }
    }
}
