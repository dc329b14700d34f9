using System.Globalization;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>The signal of one Wi-Fi interface.</summary>
/// <param name="SignalDbm">Null: the driver reports no dBm.</param>
/// <param name="LinkQuality">The driver's own scale, mostly of 70.</param>
internal sealed record WifiSignal(string Interface, double? SignalDbm, double LinkQuality, long DiscardedRetries);

/// <summary>Radio of WANs that are a Wi-Fi (a phone's, a neighbour's, a train's).</summary>
internal sealed class WifiCheck : ICheck
{
    /// <summary>Below it rates fall to a fraction; below the second one connections break.</summary>
    private const double WeakDbm = -70;

    private const double BadDbm = -80;

    public string Id => "wifi";

    public string Title => "Wi-Fi signal of WANs";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var signals = Parse(context.Files.Read("/proc/net/wireless") ?? "").ToDictionary(s => s.Interface);
        return Task.FromResult(Finding.Join(
            context.Links.Links
                .Where(l => signals.ContainsKey(l.Interface) || context.Files.Exists($"/sys/class/net/{l.Interface}/phy80211"))
                .Select(l => Decide(l, signals.GetValueOrDefault(l.Interface))),
            "no WAN is a Wi-Fi"));
    }

    internal static Finding Decide(Link link, WifiSignal? signal) => signal switch
    {
        null or { SignalDbm: null } => Finding.Skip($"{link.Name} is a Wi-Fi, and its driver tells no signal in dBm"),
        { SignalDbm: < BadDbm } => Finding.Fail(Text(link, signal), Remedy(link)),
        { SignalDbm: < WeakDbm } => Finding.Warn(Text(link, signal), Remedy(link)),
        _ => Finding.Ok(Text(link, signal)),
    };

    /// <summary>/proc/net/wireless (net/wireless/wext-proc.c): two lines of head, then `name: status link level noise nwid crypt frag retry misc beacon`. Takes any text.</summary>
    internal static IEnumerable<WifiSignal> Parse(string text)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string line in text.Split('\n'))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string name = colon < 0 ? "" : line[..colon].Trim();
            string[] fields = colon < 0 ? [] : line[(colon + 1)..].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (name.Length == 0 || fields.Length < 8 || !TryNumber(fields[1], out double quality) || !TryNumber(fields[2], out double level)
                || !long.TryParse(fields[7], NumberStyles.None, CultureInfo.InvariantCulture, out long retries) || !seen.Add(name))
            {
                continue;
            }

            // Drivers without dBm report a level of 0 or a positive one.
            yield return new WifiSignal(name, level is < 0 and > -200 ? level : null, quality, retries);
        }
    }

    /// <summary>Figures that were updated since the last look end with a dot.</summary>
    private static bool TryNumber(string field, out double number) =>
        double.TryParse(field.TrimEnd('.'), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number);

    private static string Text(Link link, WifiSignal signal) =>
        string.Create(CultureInfo.InvariantCulture, $"{link.Name} receives its access point with {signal.SignalDbm} dBm (quality {signal.LinkQuality})");

    private static string Remedy(Link link) => $"bring {link.Interface} nearer to its access point, or use a cable or 5 GHz";
}
