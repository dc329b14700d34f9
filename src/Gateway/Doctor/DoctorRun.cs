using Aggregator.Protocol.V1;
using Aggregator.Settings;

namespace Aggregator.Gateway.Doctor;

/// <summary>
/// Runs checks: all together, then those that load the lines, one by one. What throws or takes too long is reported as not known;
/// the report is always whole and there within <see cref="Whole"/>.
/// </summary>
internal sealed class DoctorRun(IReadOnlyList<ICheck> checks, TimeProvider time)
{
    /// <summary>`doctor` ends within 30 s, its start and its printing included.</summary>
    internal static readonly TimeSpan Whole = TimeSpan.FromSeconds(27);

    internal DoctorPlan Plan => new() { Ids = { checks.Select(c => c.Id) } };

    /// <param name="context">What they look at.</param>
    /// <param name="done">Told each result as it comes, from any thread, never two at a time.</param>
    /// <param name="cancellationToken">Ends it without a report.</param>
    internal async Task<DoctorReport> RunAsync(DoctorContext context, Func<DoctorCheck, Task> done, CancellationToken cancellationToken)
    {
        using var whole = new CancellationTokenSource(Whole, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(whole.Token, cancellationToken);
        var results = new Dictionary<ICheck, DoctorCheck>();
        using var one = new SemaphoreSlim(1, 1);
        await Task.WhenAll(checks.Where(c => !c.LoadsTheLines).Select(RunOneAsync));
        foreach (var check in checks.Where(c => c.LoadsTheLines))
        {
            await RunOneAsync(check);
        }

        return new DoctorReport { Checks = { checks.Select(c => results[c]) } };

        async Task RunOneAsync(ICheck check)
        {
            var result = ToMessage(check, await GuardedAsync(check, context, ending.Token, cancellationToken));
            await one.WaitAsync(cancellationToken);
            try
            {
                results[check] = result;
                await done(result);
            }
            finally
            {
                one.Release();
            }
        }
    }

    internal static DoctorCheck ToMessage(ICheck check, Finding finding)
    {
        var message = new DoctorCheck
        {
            Id = check.Id,
            Title = check.Title,
            Result = finding.Result.ToString().ToLowerInvariant(),
            Finding = finding.Text,
        };
        if (finding.Remedy is { } remedy)
        {
            message.Remedy = remedy;
        }

        return message;
    }

    private async Task<Finding> GuardedAsync(ICheck check, DoctorContext context, CancellationToken ending, CancellationToken caller)
    {
        using var limit = new CancellationTokenSource(check.Limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, ending);
        try
        {
            // A check's own synchronous part must not hold up the others; one that does not hear its token is left behind.
            return await Task.Run(() => check.RunAsync(context, either.Token), either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!caller.IsCancellationRequested)
        {
            return Finding.Skip($"it did not end within {check.Limit.TotalSeconds:0} s", "run `doctor` again when the lines are less busy");
        }
        catch (Exception e) when (!caller.IsCancellationRequested)
        {
            return Finding.Skip($"it could not be done: {Reason.Of(e)}", "run `doctor` again as root; report it if it stays");
        }
    }
}
