using System.Globalization;
using System.Text;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Apply;

namespace Aggregator.Vps.Cli;

/// <summary>What `tune` found and did, for programs and for people.</summary>
internal static class TuneTable
{
    internal static TuneReport Report(long memoryBytes, IReadOnlyList<TuneResult> results, string file, bool applied)
    {
        var report = new TuneReport { MemoryBytes = (ulong)memoryBytes, File = file, Applied = applied };
        report.Settings.AddRange(results.Select(Of));
        return report;
    }

    internal static string Draw(TuneReport report, bool apply, bool undo)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"for {report.MemoryBytes / 1e6:0} MB of memory:\n");
        foreach (var setting in report.Settings)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{setting.Name}  {Words(setting)}\n  {setting.Reason}\n");
        }

        int changes = report.Settings.Count(s => s.State == Name(TuneState.Change));
        text.Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"{Sum(report, apply, undo, changes)}\n");
        return text.ToString();
    }

    private static string Sum(TuneReport report, bool apply, bool undo, int changes) => (apply, undo) switch
    {
        (true, _) when report.Applied => $"kept in {report.File}; `{RootCommandFactory.Name} tune --undo` takes all back",
        (true, _) => "nothing had to be changed",
        (_, true) => "what was set before is back" + (report.Applied ? ", except for what is named below" : ""),
        _ when changes > 0 => $"{changes} to change; `{RootCommandFactory.Name} tune --apply` does, and keeps them in {report.File}",
        _ => "nothing to change",
    };

    private static string Words(TuneSetting setting) => setting.State switch
    {
        "ok" => $"{setting.Current} (good)",
        "change" => $"{setting.Current} -> {setting.Value}",
        "applied" => $"{setting.Value} (applied; was {setting.Before})",
        "absent" => "not on this kernel, or not in this network namespace",
        "host-only" => $"{setting.Current} (would be {setting.Value}; it is the host's, and cannot be set in this network namespace)",
        _ => $"{setting.Current} (not set to {setting.Value}: {setting.Problem})",
    };

    private static TuneSetting Of(TuneResult result)
    {
        var setting = new TuneSetting { Name = result.Item.Setting.Name.ToString(), Reason = result.Item.Reason, State = Name(result.State) };
        if (result.Current is { } current)
        {
            setting.Current = current;
        }

        if (result.Value is { } value)
        {
            setting.Value = value;
        }

        if (result.Before is { } before && result.State is TuneState.Applied)
        {
            setting.Before = before;
        }

        if (result.Problem is { } problem)
        {
            setting.Problem = problem;
        }

        return setting;
    }

    private static string Name(TuneState state) => state == TuneState.HostOnly ? "host-only" : state.ToString().ToLowerInvariant();
}
