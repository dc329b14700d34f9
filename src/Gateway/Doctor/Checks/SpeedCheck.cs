using System.Globalization;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>
/// Each link alone, down and up: from a speed test of the last hour, else by a quick test of the active links that are up, with the round trip
/// when they are full. That one has no time for a rate to become steady on every line: its figures are for comparing, not for the contract.
/// </summary>
internal sealed class SpeedCheck : ICheck
{
    /// <summary>A line's rate changes with the hour of the day.</summary>
    internal static readonly TimeSpan Fresh = TimeSpan.FromHours(1);

    /// <summary>More would not end in time: each takes four to five seconds.</summary>
    internal const int MostLinks = 3;

    /// <summary>A rate grows by round trips: a second or two say nothing of a line that is slower to answer, and take the quicker ones' time.</summary>
    internal const double LongestRoundTripMs = 300;

    /// <summary>What the other checks leave of a doctor's time.</summary>
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(12);

    /// <summary>Of each measurement, for its connections and for filling the queue.</summary>
    private static readonly TimeSpan Around = TimeSpan.FromSeconds(1.1);

    /// <summary>Calls and games suffer long before; downloads from about here on.</summary>
    internal const double BloatMs = 300;

    private const string Test = "run `aggregator-gateway speedtest`";

    public string Id => "link-speed";

    public string Title => "Each link alone, down and up";

    public TimeSpan Limit => TimeSpan.FromSeconds(18.5);

    public bool LoadsTheLines => true;

    public async Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        string[] up = [.. context.Links.Links.Where(l => l is { Role: LinkRole.Active, State: not LinkState.Down }).Select(l => l.Name)];
        Finding[] known = [.. up.Where(l => IsFresh(context, l)).Select(l => Told(l, context.Speeds[l]))];
        string[] far = [.. up.Where(l => !IsFresh(context, l) && IsFar(context, l))];
        string[] links = [.. up.Where(l => !IsFresh(context, l)).Except(far).OrderByDescending(l => AgeOf(context, l)).Take(MostLinks)];
        string[] rest = [.. up.Where(l => !IsFresh(context, l)).Except(far).Except(links)];
        Finding[] late =
        [
            .. rest.Length == 0 ? [] : new[] { Finding.Skip($"{Texts.List(rest)}: a doctor has no time for more than {MostLinks} links", Test) },
            .. far.Length == 0 ? [] : new[] { Finding.Skip($"{Texts.List(far)}: a doctor has no time for round trips of more than {LongestRoundTripMs:0} ms", Test) },
        ];
        if (links.Length == 0)
        {
            return Finding.Join([.. known, .. late], "no active link is up");
        }

        if (context.Speed is not { } speed)
        {
            return Finding.Join([.. known, Finding.Skip("the daemon is not running", Test)], "no link was measured");
        }

        try
        {
            var result = await speed.RunAsync(
                new SpeedOptions(links, Down: true, Up: true, DurationFor(links.Length), Bonded: false) { Keep = false }, static _ => { }, cancellationToken);
            return Finding.Join([.. known, .. result.Links.Select(Decide), .. late], "no link was measured");
        }
        catch (SpeedException e)
        {
            return Finding.Join([.. known, Finding.Skip(e.Message, Test)], "no link was measured");
        }
    }

    private static bool IsFar(DoctorContext context, string link) => context.Links.Links.Any(l => l.Name == link && l.RttMs > LongestRoundTripMs);

    /// <summary>Those of which the least is known come first.</summary>
    private static TimeSpan AgeOf(DoctorContext context, string link) => context.Speeds.TryGetValue(link, out LinkSpeed? speed) ? speed.Age : TimeSpan.MaxValue;

    private static bool IsFresh(DoctorContext context, string link) => context.Speeds.TryGetValue(link, out LinkSpeed? speed) && speed.Age <= Fresh;

    internal static Finding Told(string link, LinkSpeed speed) => Finding.Ok(
        $"{link}: {Rate(speed.DownMbps is not null, speed.DownMbps ?? 0)} down, {Rate(speed.UpMbps is not null, speed.UpMbps ?? 0)} up"
        + (speed.RttIdleMs is { } rtt ? $", round trip {Texts.Milliseconds(rtt)} idle" : "")
        + $" (speed test {Texts.Duration(speed.Age)} ago)");

    /// <summary>Two measurements a link share the budget.</summary>
    internal static TimeSpan DurationFor(int links)
    {
        TimeSpan share = (Budget / (2 * links)) - Around;
        return share < SpeedOptions.ShortestDuration ? SpeedOptions.ShortestDuration : share > SpeedOptions.DefaultDuration ? SpeedOptions.DefaultDuration : share;
    }

    internal static Finding Decide(SpeedLink link)
    {
        if (link.HasError)
        {
            return Finding.Warn($"{link.Name} could not be measured ({link.Error})", $"look at {link.Name}, then {Test}");
        }

        string text = $"{link.Name}: {Rate(link.HasDownMbps, link.DownMbps)} down, {Rate(link.HasUpMbps, link.UpMbps)} up";
        if (!link.HasRttIdleMs)
        {
            return Finding.Ok(text);
        }

        double down = link.HasRttLoadedDownMs ? link.RttLoadedDownMs - link.RttIdleMs : 0;
        double up = link.HasRttLoadedUpMs ? link.RttLoadedUpMs - link.RttIdleMs : 0;
        text += string.Create(CultureInfo.InvariantCulture, $", round trip {Texts.Milliseconds(link.RttIdleMs)} idle, +{Texts.Milliseconds(Math.Max(0, down))} and +{Texts.Milliseconds(Math.Max(0, up))} under load");
        return Math.Max(down, up) > BloatMs
            ? Finding.Warn($"{text}: bufferbloat", $"shape {(down > up ? "what comes down" : "sending on")} {link.Name} to just below its rate (fq_codel or cake)")
            : Finding.Ok(text);
    }

    private static string Rate(bool known, double mbps) => known ? Texts.Mbps(mbps) : "not known";
}
