using System.Text;
using Aggregator.Host;
using Aggregator.Settings;

namespace Aggregator.Vps.Apply;

internal enum TuneState
{
    /// <summary>Good as it is, without us.</summary>
    Ok,

    /// <summary>`--apply` would change it.</summary>
    Change,

    /// <summary>As we set it.</summary>
    Applied,

    /// <summary>This kernel or network namespace has no such setting.</summary>
    Absent,

    /// <summary>It can be read here but is the host's alone.</summary>
    HostOnly,

    Failed,
}

/// <param name="Current">Null: absent.</param>
/// <param name="Value">What is wanted; null where what there is is good.</param>
/// <param name="Before">What an undo puts back; null unless applied.</param>
internal sealed record TuneResult(TuneItem Item, string? Current, string? Value, string? Before, TuneState State, string? Problem = null);

/// <summary>What a running daemon changed of the same settings for its own time.</summary>
/// <param name="Originals">By path: what it will put back.</param>
/// <param name="Rebase">Tells it to put back something else, and to set its own on top of that.</param>
internal sealed record DaemonSettings(IReadOnlyDictionary<string, string> Originals, Func<IReadOnlyDictionary<string, string>, Task> Rebase)
{
    internal static DaemonSettings None { get; } = new(new Dictionary<string, string>(), static _ => Task.CompletedTask);
}

/// <summary>
/// Sets what <see cref="TunePlan"/> wants, keeps it over restarts, and takes it back. Order: journal on disk → settings → file for the next
/// start; so whatever breaks off, `--undo` knows all. Safe to repeat.
/// </summary>
/// <param name="file">The file of sysctl.d(5).</param>
internal sealed class HostTuning(TuneJournal journal, SysctlFiles files, string file, DaemonSettings daemon)
{
    /// <summary>In the name's order behind the distribution's 10- and 50-, before an administrator's 99-.</summary>
    internal const string DefaultFile = "/etc/sysctl.d/90-aggregator-vps.conf";

    private const UnixFileMode ForAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>How things stand; changes nothing.</summary>
    internal IReadOnlyList<TuneResult> Look(IReadOnlyList<TuneItem> plan) => [.. plan.Select(LookAt)];

    /// <exception cref="StateException">The journal or the file cannot be written. The journal comes first, so an undo is possible in any case.</exception>
    internal async Task<IReadOnlyList<TuneResult>> ApplyAsync(IReadOnlyList<TuneItem> plan)
    {
        TuneResult[] changes = [.. plan.Select(LookAt).Where(r => r.State == TuneState.Change)];
        var earlier = changes.ToDictionary(c => c.Item.Setting.Name.Path, c => journal.Entries.GetValueOrDefault(c.Item.Setting.Name.Path));
        foreach (var change in changes)
        {
            journal.Set(change.Item.Setting.Name.Path, new TuneEntry(change.Before!, change.Value!));
        }

        journal.Save();
        var failed = new Dictionary<string, TuneResult>(StringComparer.Ordinal);
        var rebased = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var change in changes)
        {
            var name = change.Item.Setting.Name;
            if (daemon.Originals.ContainsKey(name.Path))
            {
                rebased[name.Path] = change.Value!;
            }
            else if (Problem(files.Write(name, change.Value!), name, change.Value!) is { } problem)
            {
                if (earlier[name.Path] is { } entry)
                {
                    journal.Set(name.Path, entry);
                }
                else
                {
                    journal.Remove(name.Path);
                }

                failed[name.Path] = change with { Before = earlier[name.Path]?.Before, State = TuneState.Failed, Problem = problem };
            }
        }

        await daemon.Rebase(rebased);
        journal.Save();
        if (journal.Entries.Count > 0)
        {
            AtomicFile.Write(file, Encoding.UTF8.GetBytes(FileText(plan)), ForAll);
        }

        return [.. plan.Select(i => failed.GetValueOrDefault(i.Setting.Name.Path) ?? LookAt(i, rebased))];
    }

    /// <summary>Takes back all that was ever applied. What somebody else changed since is left to him.</summary>
    /// <returns>What could not be put back, in one sentence each; it stays in the journal.</returns>
    internal async Task<IReadOnlyList<string>> UndoAsync()
    {
        // First, so that a restart in the middle does not set them again.
        AtomicFile.TryRemove(file);
        List<string> problems = [];
        var rebased = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, entry) in journal.Entries.ToArray())
        {
            if (daemon.Originals.ContainsKey(path))
            {
                rebased[path] = entry.Before;
            }
            else if (SysctlName.TryParsePath(path, out var name) && files.Read(name) == entry.Value
                && Problem(files.Write(name, entry.Before), name, entry.Before) is { } problem)
            {
                problems.Add($"{name} = {entry.Before}: {problem}");
                continue;
            }

            journal.Remove(path);
        }

        await daemon.Rebase(rebased);
        journal.Save();
        return problems;
    }

    private TuneResult LookAt(TuneItem item) => LookAt(item, daemon.Originals);

    /// <param name="originals">What counts in place of the value that the daemon set.</param>
    private TuneResult LookAt(TuneItem item, IReadOnlyDictionary<string, string> originals)
    {
        var name = item.Setting.Name;
        if (files.Read(name) is not { } current)
        {
            return new TuneResult(item, null, item.Setting.Value, null, TuneState.Absent);
        }

        string now = originals.GetValueOrDefault(name.Path, daemon.Originals.GetValueOrDefault(name.Path, current));
        var entry = journal.Entries.GetValueOrDefault(name.Path);
        string before = entry?.Before ?? now;
        if (item.Setting.ValueFor(before) is not { } value)
        {
            return new TuneResult(item, current, null, entry?.Before, TuneState.Ok);
        }

        if (now == value)
        {
            return new TuneResult(item, current, value, entry?.Before, entry is null ? TuneState.Ok : TuneState.Applied);
        }

        return files.IsWritable(name)
            ? new TuneResult(item, current, value, before, TuneState.Change)
            : new TuneResult(item, current, value, null, TuneState.HostOnly);
    }

    private string? Problem(SysctlWrite outcome, SysctlName name, string value) => outcome switch
    {
        SysctlWrite.Done when files.Read(name) == value => null,
        SysctlWrite.Denied => "no permission (run this as root; in a container /proc/sys is read-only)",
        SysctlWrite.Absent => "it is gone",
        _ => "the kernel does not take this value",
    };

    private string FileText(IReadOnlyList<TuneItem> plan)
    {
        var text = new StringBuilder("# Written by `aggregator-vps tune --apply`; `aggregator-vps tune --undo` takes it back.\n");
        foreach (var item in plan.Where(i => journal.Entries.ContainsKey(i.Setting.Name.Path)))
        {
            // The dash: what is not there yet at the start (a module's setting) is no error.
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\n# {item.Reason}\n-{item.Setting.Name} = {journal.Entries[item.Setting.Name.Path].Value}\n");
        }

        return text.ToString();
    }
}
