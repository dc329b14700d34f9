using System.Globalization;
using Aggregator.Host;
using Aggregator.Mptcp;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Apply;

/// <summary>
/// Brings the host to <see cref="WantedSettings"/> and back. The values before are in the journal before anything is changed, so a daemon
/// that was killed leaves them there for the next one, which keeps them.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose wait handle nobody asks for holds nothing.")]
internal sealed class HostSettings(HostJournal journal, ILogger logger)
{
    private const string LimitsKey = "mptcp.limits";

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly HostSysctls _sysctls = new(journal, new SysctlFiles());

    /// <summary>As given to <see cref="ApplyAsync(long, CancellationToken)"/>; 0 while nothing is to be set.</summary>
    private long _memoryBytes;

    /// <summary>What differs from before because of us. Replaced as a whole.</summary>
    internal IReadOnlyList<AppliedHostSetting> Applied { get; private set; } = [];

    /// <summary>In one sentence each, what could not be set.</summary>
    internal IReadOnlyList<string> Problems { get; private set; } = [];

    internal Task ApplyAsync(long totalMemoryBytes, CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            _memoryBytes = totalMemoryBytes;
            await ApplyAsync(cancellationToken);
        },
        cancellationToken);

    /// <summary>
    /// What is to be put back at the end has changed (`tune` set it for good): remembered, and our own values set on top of it.
    /// Settings that we have not changed are passed over.
    /// </summary>
    /// <param name="originals">By path below /proc/sys.</param>
    internal Task RebaseAsync(IReadOnlyDictionary<string, string> originals, CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            foreach (var (path, original) in originals)
            {
                journal.RebaseSysctl(path, original);
            }

            // At the end, when all is put back already, nothing is set again.
            if (_memoryBytes > 0)
            {
                await ApplyAsync(cancellationToken);
            }
        },
        cancellationToken);

    /// <summary>Whether the host forwards between gateways' interfaces and the internet.</summary>
    internal Task ForwardAsync(bool forward, CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            _forwards = forward;
            if (_memoryBytes > 0)
            {
                await ApplyAsync(cancellationToken);
            }
        },
        cancellationToken);

    private bool _forwards;

    private async Task ApplyAsync(CancellationToken cancellationToken)
    {
        var outcome = _sysctls.Apply([.. WantedSettings.Sysctls(_memoryBytes), .. _forwards ? WantedSettings.Forwarding() : []]);
        List<string> problems = [.. outcome.Problems.Select(p => p.ToString())];
        await ApplyLimitsAsync(problems, cancellationToken);
        Publish(outcome, problems);
    }

    /// <summary>Puts everything back. What could not be put back stays in the journal.</summary>
    internal Task RestoreAsync(CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            _memoryBytes = 0;
            await PutBackAsync(cancellationToken);
        },
        cancellationToken);

    private async Task PutBackAsync(CancellationToken cancellationToken)
    {
        var outcome = _sysctls.Restore();
        List<string> problems = [.. outcome.Problems.Select(p => p.ToString())];
        await RestoreLimitsAsync(problems, cancellationToken);
        Publish(outcome, problems);
    }

    private async Task AloneAsync(Func<Task> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await work();
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task ApplyLimitsAsync(List<string> problems, CancellationToken cancellationToken)
    {
        using var manager = await MptcpPathManager.OpenAsync(cancellationToken);
        if (manager is null)
        {
            problems.Add("this kernel has no MPTCP path manager: gateways get one line each");
            return;
        }

        var before = await manager.LimitsAsync(cancellationToken);
        var wanted = new MptcpLimits(
            Math.Max(before.Subflows, WantedSettings.Limits.Subflows),
            Math.Max(before.AcceptedAddresses, WantedSettings.Limits.AcceptedAddresses));
        if (before == wanted)
        {
            return;
        }

        journal.Record(LimitsKey, Text(before));
        var result = await manager.SetLimitsAsync(wanted, cancellationToken);
        if (!result.IsSuccess)
        {
            journal.Forget(LimitsKey);
            problems.Add($"MPTCP limits {Text(wanted)}: {result}");
        }
    }

    private async Task RestoreLimitsAsync(List<string> problems, CancellationToken cancellationToken)
    {
        if (!journal.Others.TryGetValue(LimitsKey, out string? text) || !TryParse(text, out var before))
        {
            return;
        }

        using var manager = await MptcpPathManager.OpenAsync(cancellationToken);
        if (manager is not null)
        {
            var result = await manager.SetLimitsAsync(before, cancellationToken);
            if (!result.IsSuccess)
            {
                problems.Add($"MPTCP limits could not be put back to {text}: {result}");
                return;
            }
        }

        journal.Forget(LimitsKey);
    }

    private void Publish(SysctlOutcome outcome, List<string> problems)
    {
        List<AppliedHostSetting> applied = [.. outcome.Applied.Select(s => new AppliedHostSetting(s.Name.ToString(), s.Value, s.Before))];
        if (journal.Others.TryGetValue(LimitsKey, out string? before) && TryParse(before, out var old))
        {
            var now = new MptcpLimits(
                Math.Max(old.Subflows, WantedSettings.Limits.Subflows), Math.Max(old.AcceptedAddresses, WantedSettings.Limits.AcceptedAddresses));
            applied.Add(new AppliedHostSetting("mptcp limits", Text(now), before));
        }

        Applied = applied;
        Problems = problems;
        foreach (string problem in problems)
        {
            logger.SettingFailed(problem);
        }
    }

    /// <summary>As `ip mptcp limits` prints and takes it.</summary>
    private static string Text(MptcpLimits limits) =>
        string.Create(CultureInfo.InvariantCulture, $"add_addr_accepted {limits.AcceptedAddresses} subflows {limits.Subflows}");

    private static bool TryParse(string text, out MptcpLimits limits)
    {
        limits = default;
        if (text.Split(' ') is not ["add_addr_accepted", var accepted, "subflows", var subflows]
            || !uint.TryParse(accepted, CultureInfo.InvariantCulture, out uint acceptedAddresses)
            || !uint.TryParse(subflows, CultureInfo.InvariantCulture, out uint extra))
        {
            return false;
        }

        limits = new MptcpLimits(extra, acceptedAddresses);
        return true;
    }
}

/// <param name="Before">What is put back.</param>
internal sealed record AppliedHostSetting(string Name, string Value, string Before);
