namespace Aggregator.Host;

/// <summary>
/// Brings the host's settings to what a daemon wants and back. Safe to repeat: what is right already is not written again.
/// Not thread-safe; the daemon's one applying loop calls it.
/// </summary>
internal sealed class HostSysctls(HostJournal journal, SysctlFiles files)
{
    /// <summary>
    /// Applies the whole set: a setting of an earlier call that is not in it is put back. Missing settings are skipped silently
    /// (an older kernel), refused ones are told.
    /// </summary>
    internal SysctlOutcome Apply(IReadOnlyCollection<SysctlSetting> wanted)
    {
        var problems = new List<SysctlProblem>();
        int changes = 0;
        var kept = new HashSet<string>(StringComparer.Ordinal);
        foreach (var setting in wanted)
        {
            if (files.Read(setting.Name) is not { } actual)
            {
                // An interface that is away keeps its entry for its return.
                kept.Add(setting.Name.Path);
                continue;
            }

            string original = journal.Sysctls.GetValueOrDefault(setting.Name.Path, actual);
            if (setting.ValueFor(original) is not { } value)
            {
                continue;
            }

            kept.Add(setting.Name.Path);
            if (value == actual)
            {
                continue;
            }

            journal.RecordSysctl(setting.Name, original);
            switch (files.Write(setting.Name, value))
            {
                case SysctlWrite.Done when files.Read(setting.Name) == value:
                    changes++;
                    break;
                case SysctlWrite.Denied:
                    kept.Remove(setting.Name.Path);
                    problems.Add(new SysctlProblem(setting.Name, value, "no permission"));
                    break;
                default:
                    kept.Remove(setting.Name.Path);
                    problems.Add(new SysctlProblem(setting.Name, value, "the kernel does not take this value"));
                    break;
            }
        }

        foreach (string path in journal.Sysctls.Keys.Except(kept).ToArray())
        {
            changes += PutBack(path, problems);
        }

        return new SysctlOutcome(Applied(), problems, changes);
    }

    /// <summary>Puts every setting back. What could not be put back stays in the journal for another try.</summary>
    internal SysctlOutcome Restore()
    {
        var problems = new List<SysctlProblem>();
        int changes = 0;
        foreach (string path in journal.Sysctls.Keys.ToArray())
        {
            changes += PutBack(path, problems);
        }

        return new SysctlOutcome(Applied(), problems, changes);
    }

    private AppliedSysctl[] Applied()
    {
        var applied = new List<AppliedSysctl>();
        foreach (var (path, before) in journal.Sysctls)
        {
            if (SysctlName.TryParsePath(path, out var name) && files.Read(name) is { } now)
            {
                applied.Add(new AppliedSysctl(name, now, before));
            }
        }

        return [.. applied.OrderBy(s => s.Name)];
    }

    private int PutBack(string path, List<SysctlProblem> problems)
    {
        int changes = 0;
        if (SysctlName.TryParsePath(path, out var name) && files.Read(name) is { } actual && actual != journal.Sysctls[path])
        {
            string original = journal.Sysctls[path];
            if (files.Write(name, original) is not SysctlWrite.Done)
            {
                problems.Add(new SysctlProblem(name, original, "could not be put back"));
                return 0;
            }

            changes = 1;
        }

        journal.ForgetSysctl(path);
        return changes;
    }
}

/// <param name="Applied">Every setting that differs from before because of the daemon, sorted.</param>
/// <param name="Problems">What could not be written.</param>
/// <param name="Changes">Writes made by this call; 0 when all was right already.</param>
internal sealed record SysctlOutcome(IReadOnlyList<AppliedSysctl> Applied, IReadOnlyList<SysctlProblem> Problems, int Changes);

internal sealed record SysctlProblem(SysctlName Name, string Value, string Reason)
{
    public override string ToString() => $"{Name} = {Value}: {Reason}";
}
