using System.Globalization;
using Aggregator.Processes;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Events;

/// <summary>
/// Runs the programs of the hook directory at every event, one at a time and in order, each with a time limit. When they cannot keep up the
/// oldest events are left out (the log has them).
/// </summary>
internal sealed class HookRunner : IAsyncDisposable
{
    /// <summary>A hook sends a message or sets a rule; one that takes longer hangs.</summary>
    internal static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(10);

    private readonly EventLog _log;
    private readonly string _directory;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<string> _told = [];
    private readonly Task _loop;

    internal HookRunner(EventLog log, string directory, TimeProvider time, ILogger logger)
    {
        _log = log;
        _directory = directory;
        _time = time;
        _logger = logger;
        long last = log.Latest(1) is [var newest] ? newest.Number : 0;
        _loop = Task.Run(() => RunAsync(last));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(long after)
    {
        try
        {
            await foreach (var record in _log.FollowAsync(after, _stop.Token))
            {
                // A failing hook that is told of its failure would go on for ever.
                if (record.Action != EventAction.HookFailed)
                {
                    await TellAsync(record);
                }
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The daemon ends.
        }
    }

    private async Task TellAsync(EventRecord record)
    {
        var problems = new List<string>();
        foreach (string hook in HookDirectory.List(_directory, problems))
        {
            var outcome = await UserProgram.RunAsync(hook, [], Environment(record), TimeLimit, _time, _stop.Token);
            if (outcome.Problem is { } problem)
            {
                _logger.HookFailed(hook, record.Action, problem);
                _log.Add(EventAction.HookFailed, record.Link, record.Interface, $"{Path.GetFileName(hook)} ({record.Action}): {problem}");
            }
        }

        foreach (string problem in problems.Where(_told.Add))
        {
            _logger.HookNotRun(problem);
            _log.Add(EventAction.HookFailed, null, null, problem);
        }
    }

    private static Dictionary<string, string> Environment(EventRecord record) => new()
    {
        ["ACTION"] = record.Action,
        ["LINK"] = record.Link ?? "",
        ["INTERFACE"] = record.Interface ?? "",
        ["REASON"] = record.Reason ?? "",
        ["EVENT"] = record.Number.ToString(CultureInfo.InvariantCulture),
        ["TIME"] = record.Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
    };
}
