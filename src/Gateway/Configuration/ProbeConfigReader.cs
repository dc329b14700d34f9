using System.Globalization;
using Aggregator.Settings;

namespace Aggregator.Gateway.Configuration;

/// <summary>`probe:` of gateway.yaml.</summary>
internal static class ProbeConfigReader
{
    private const string HttpExample = "http://probe.example.net/generate_204";

    /// <summary>Targets beyond this would only take longer to ask in turn.</summary>
    private const int MaxTargets = 8;

    /// <summary>More than so many in a row is no watching any more.</summary>
    private const int MaxInARow = 20;

    /// <summary>Quicker than this probes are a load, slower than that a dead line is found by its users.</summary>
    private static readonly TimeSpan LeastInterval = TimeSpan.FromMilliseconds(200), MostInterval = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan MostMark = TimeSpan.FromMinutes(1);

    internal static ProbeConfig Read(MapReader root)
    {
        var defaults = ProbeConfig.Default;
        if (root.Map("probe", $"{{targets: {ProbeTargets.Example}}}") is not { } reader)
        {
            return defaults;
        }

        var http = reader.Value("http", text =>
            Uri.TryCreate(text, UriKind.Absolute, out var parsed) && parsed.Scheme == Uri.UriSchemeHttp && parsed.UserInfo.Length == 0
                ? Parsed<Uri>.Of(parsed)
                : Parsed<Uri>.Not($"must be an http:// URL (plain: portals answer nothing else), such as {HttpExample}; it is {MapReader.Shown(text)}"));
        var targets = reader.List("targets", ProbeTargets.Example, ProbeTargets.Parse) ?? [];
        if (targets.Length > MaxTargets)
        {
            reader.Report("targets", $"has {targets.Length} targets, at most {MaxTargets} are taken");
        }

        var config = new ProbeConfig
        {
            Http = http,
            Targets = targets,
            Interval = reader.ValueOf("interval", text => Duration(text, LeastInterval, MostInterval)) ?? defaults.Interval,
            Fails = reader.ValueOf("fails", Count) ?? defaults.Fails,
            Successes = reader.ValueOf("successes", Count) ?? defaults.Successes,
            Marks = new LinkMarks
            {
                LossRatio = reader.ValueOf("loss", Percent) is { } loss ? loss.Value : defaults.Marks.LossRatio,
                Latency = reader.ValueOf("latency", Mark) is { } latency ? latency.Value : defaults.Marks.Latency,
                Jitter = reader.ValueOf("jitter", Mark) is { } jitter ? jitter.Value : defaults.Marks.Jitter,
            },
        };
        reader.Finish();
        return config;
    }

    /// <summary>A mark that may be switched off.</summary>
    private readonly record struct Optional<T>(T? Value)
        where T : struct;

    private static Parsed<int> Count(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= MaxInARow
            ? Parsed<int>.Of(count)
            : Parsed<int>.Not($"must be a number from 1 to {MaxInARow}; it is {MapReader.Shown(text)}");

    private static Parsed<Optional<double>> Percent(string text) =>
        text == "off" ? Parsed<Optional<double>>.Of(new(null))
        : text is [.. var digits, '%'] && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int percent) && percent is >= 1 and <= 100
            ? Parsed<Optional<double>>.Of(new(percent / 100.0))
            : Parsed<Optional<double>>.Not($"must be a percentage from 1% to 100%, or off; it is {MapReader.Shown(text)}");

    private static Parsed<Optional<TimeSpan>> Mark(string text)
    {
        if (text == "off")
        {
            return Parsed<Optional<TimeSpan>>.Of(new(null));
        }

        var parsed = Duration(text, TimeSpan.FromMilliseconds(1), MostMark);
        return parsed.Problem is { } problem ? Parsed<Optional<TimeSpan>>.Not($"{problem} (or off)") : Parsed<Optional<TimeSpan>>.Of(new(parsed.Value));
    }

    private static Parsed<TimeSpan> Duration(string text, TimeSpan least, TimeSpan most)
    {
        int digits = text.TakeWhile(char.IsAsciiDigit).Count();
        double? unitMs = text[digits..] switch { "ms" => 1, "s" => 1000, "m" => 60_000, _ => null };
        return unitMs is { } unit && int.TryParse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && TimeSpan.FromMilliseconds(number * unit) is var value && value >= least && value <= most
            ? Parsed<TimeSpan>.Of(value)
            : Parsed<TimeSpan>.Not($"must be a number and a unit (ms, s or m) from {Shown(least)} to {Shown(most)}, such as 500ms or 2s; it is {MapReader.Shown(text)}");
    }

    private static string Shown(TimeSpan value) => value < TimeSpan.FromSeconds(1)
        ? string.Create(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds}ms")
        : string.Create(CultureInfo.InvariantCulture, $"{value.TotalSeconds}s");
}
