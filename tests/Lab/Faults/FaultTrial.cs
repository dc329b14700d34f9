using System.Diagnostics;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Faults;

/// <summary>What one fault did.</summary>
/// <param name="Fault">Its name.</param>
/// <param name="Detected">From its begin until the gateway knew; null: it never said so.</param>
/// <param name="State">As the gateway then saw the link, and why.</param>
/// <param name="UsualGap">The median reader's longest time without a byte in the seconds before.</param>
/// <param name="MedianGap">The same while the fault lasted and until the link was used again.</param>
/// <param name="WorstGap">Of the reader that fared worst.</param>
/// <param name="Recovered">From its end until the link carried payload both ways again; null: it did not in time.</param>
internal sealed record FaultResult(
    string Fault,
    TimeSpan? Detected,
    string State,
    TimeSpan UsualGap,
    TimeSpan MedianGap,
    TimeSpan WorstGap,
    int TransfersBroken,
    int IdleBroken,
    TimeSpan? Recovered,
    IReadOnlyDictionary<string, int> Errors);

/// <summary>Lets one fault happen to a WAN under load and writes down what came of it.</summary>
internal static class FaultTrial
{
    /// <summary>Payload beyond doubt: probes and handshakes of the time together are less.</summary>
    private const long SomeBytes = 100_000;

    private static readonly TimeSpan Usual = TimeSpan.FromSeconds(3);

    /// <summary>A link that came and went is held back for eight seconds.</summary>
    private static readonly TimeSpan LongestRecovery = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(40);

    internal static async Task<FaultResult> RunAsync(NetworkLab lab, AggregatorUnderTest product, LinkFault fault, LabWan wan, int transfers, int idle)
    {
        await using Siege siege = await Siege.BeginAsync(lab, product.Socks, transfers, idle);
        await Task.Delay(Usual);
        long before = Stopwatch.GetTimestamp() - (long)(Usual.TotalSeconds * 0.7 * Stopwatch.Frequency);
        await fault.BeginAsync(lab, wan);
        long began = Stopwatch.GetTimestamp();
        TimeSpan usual = Median(siege.LongestGaps(before, began));
        await Task.Delay(fault.Lasts);
        await fault.EndAsync(lab, wan);
        await Task.Delay(fault.Lingers);
        long ended = Stopwatch.GetTimestamp();

        // An address change is over at once: what counts is the return under the new address.
        TimeSpan? recovered = await CarriesAsync(wan, transfers > 0, product, ended);
        long settled = Stopwatch.GetTimestamp();
        var gaps = siege.LongestGaps(began, settled);
        (int broken, int idleBroken) = await siege.EndAsync(LongestEnd);
        var (at, state) = FirstChange(product.Gateway, wan.Name, began, fault.Expected);
        return new FaultResult(
            fault.Name,
            at is { } known ? Stopwatch.GetElapsedTime(began, known) : null,
            state,
            usual,
            Median(gaps),
            gaps.Count == 0 ? TimeSpan.Zero : gaps[^1],
            broken,
            idleBroken,
            recovered,
            siege.Errors);
    }

    private static TimeSpan Median(IReadOnlyList<TimeSpan> sorted) => sorted.Count == 0 ? TimeSpan.Zero : sorted[sorted.Count / 2];

    private static async Task<TimeSpan?> CarriesAsync(LabWan wan, bool loaded, AggregatorUnderTest product, long since)
    {
        long down = wan.Down.Counters.BytesDelivered, up = wan.Up.Counters.BytesDelivered;
        while (Stopwatch.GetElapsedTime(since) < LongestRecovery)
        {
            bool back = loaded
                ? wan.Down.Counters.BytesDelivered - down > SomeBytes && wan.Up.Counters.BytesDelivered - up > SomeBytes
                : LastState(product.Gateway, wan.Name) == "Up";
            if (back)
            {
                return Stopwatch.GetElapsedTime(since);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10));
        }

        return null;
    }

    /// <summary>The gateway's own words, by when they came.</summary>
    private static IEnumerable<(long At, string State, string Text)> Changes(LabProcess gateway, string link)
    {
        string start = $"Link {link} (";
        foreach (var (at, text) in gateway.StampedError)
        {
            int begin = text.IndexOf(start, StringComparison.Ordinal);
            int state = begin < 0 ? -1 : text.IndexOf(") is ", begin, StringComparison.Ordinal);
            if (state >= 0)
            {
                string rest = text[(state + 5)..];
                yield return (at, rest[..rest.IndexOf(':', StringComparison.Ordinal)], rest);
            }
        }
    }

    private static string? LastState(LabProcess gateway, string link) => Changes(gateway, link).Select(c => c.State).LastOrDefault();

    private static (long? At, string Text) FirstChange(LabProcess gateway, string link, long since, string? expected)
    {
        var after = Changes(gateway, link).Where(c => c.At >= since).ToArray();
        var first = after.FirstOrDefault(c => c.State != "Up" && (expected is null || c.State == expected || expected == "Degraded"));
        return first.Text is null ? (null, "") : (first.At, first.Text);
    }
}
