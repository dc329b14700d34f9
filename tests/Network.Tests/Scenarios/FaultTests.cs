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
    private const int Transfers = 10;
    private const int Idle = 20;

    /// <summary>
    /// Those with a way of their own: another address, one direction alone. All lines gone at once is the benchmark's (`faults --only all-gone`):
    /// it does not hold each time yet, transfers were seen that did not end afterwards.
    /// </summary>
    private static readonly string[] Selection = ["address-change", "black-hole-up"];

    [SkippableFact]
    public async Task Nothing_breaks_and_every_link_is_used_again()
    {
        WanSpec[] wans = [new("one") { DownMbps = 20, UpMbps = 20, DelayMs = 10 }, new("two") { DownMbps = 20, UpMbps = 20, DelayMs = 15 }];
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = wans });
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, new ProductSettings { Carrier = "trunk" });
        foreach (LinkFault fault in LinkFault.All.Where(f => Selection.Contains(f.Name)))
        {
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
