using Aggregator.Gateway.Doctor;
using Aggregator.Protocol.V1;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Doctor;

/// <summary>Whatever a check does, there is a whole report.</summary>
public sealed class DoctorRunTests
{
    [Fact]
    public async Task A_check_that_throws_or_hangs_is_not_known_and_the_others_are()
    {
        ICheck[] checks =
        [
            new Stub("throws", _ => throw new InvalidOperationException("a fault of ours")),
            new Stub("hangs", async _ =>
            {
                // Does not hear its token.
                await Task.Delay(Timeout.InfiniteTimeSpan, CancellationToken.None);
                return Finding.Ok("never");
            }),
            new Stub("works", _ => Task.FromResult(Finding.Warn("something", "do something"))),
        ];
        var told = new List<string>();
        var report = await new DoctorRun(checks, TimeProvider.System).RunAsync(
            Some.Context(),
            check =>
            {
                told.Add(check.Id);
                return Task.CompletedTask;
            },
            default);
        report.Checks.Select(c => c.Id).ShouldBe(["throws", "hangs", "works"]);
        report.Checks.Select(c => c.Result).ShouldBe(["skip", "skip", "warn"]);
        report.Checks[0].Finding.ShouldContain("a fault of ours");
        report.Checks[1].Finding.ShouldContain("did not end");
        report.Checks[2].Remedy.ShouldBe("do something");
        told.ShouldBe(["throws", "hangs", "works"], ignoreOrder: true);
    }

    [Fact]
    public async Task What_loads_the_lines_runs_by_itself_after_the_others()
    {
        int running = 0;
        int mostWithLoad = 0;
        var gate = new TaskCompletionSource();
        async Task<Finding> CountAsync(bool load)
        {
            int now = Interlocked.Increment(ref running);
            if (load)
            {
                mostWithLoad = Math.Max(mostWithLoad, now);
                await Task.Yield();
            }
            else if (now == 2)
            {
                // Both of the others are under way at once.
                gate.SetResult();
            }
            else
            {
                await gate.Task;
            }

            Interlocked.Decrement(ref running);
            return Finding.Ok("done");
        }

        ICheck[] checks =
        [
            new Stub("load-a", _ => CountAsync(true)) { LoadsTheLines = true },
            new Stub("load-b", _ => CountAsync(true)) { LoadsTheLines = true },
            new Stub("quiet-a", _ => CountAsync(false)),
            new Stub("quiet-b", _ => CountAsync(false)),
        ];
        var report = await new DoctorRun(checks, TimeProvider.System).RunAsync(Some.Context(), _ => Task.CompletedTask, default);
        report.Checks.ShouldAllBe(c => c.Result == "ok");
        mostWithLoad.ShouldBe(1);
    }

    [Fact]
    public async Task Whoever_asked_can_end_it()
    {
        using var stop = new CancellationTokenSource();
        ICheck[] checks =
        [
            new Stub("waits", async token =>
            {
                await stop.CancelAsync();
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
                return Finding.Ok("never");
            }),
        ];
        await Should.ThrowAsync<OperationCanceledException>(() => new DoctorRun(checks, TimeProvider.System).RunAsync(Some.Context(), _ => Task.CompletedTask, stop.Token));
    }

    [Fact]
    public void Names_are_unique_and_fit_for_scripts()
    {
        string[] ids = [.. CheckList.All.Select(c => c.Id)];
        ids.ShouldBeUnique();
        ids.ShouldAllBe(id => id.All(c => char.IsAsciiLetterLower(c) || c == '-'));
        CheckList.All.ShouldAllBe(c => c.Limit < DoctorRun.Whole && c.Title.Length > 0);
        DoctorRun.Whole.ShouldBeLessThan(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void Findings_join_with_the_worst_first_and_each_remedy_once()
    {
        var joined = Finding.Join([Finding.Ok("good"), Finding.Warn("odd", "turn it"), Finding.Fail("bad", "turn it"), Finding.Skip("dark")], "none");
        joined.ShouldBe(new Finding(CheckResult.Fail, "bad; odd; good; dark", "turn it"));
        Finding.Join([], "none").ShouldBe(Finding.Skip("none"));
    }

    private sealed class Stub(string id, Func<CancellationToken, Task<Finding>> run) : ICheck
    {
        public string Id => id;

        public string Title => id;

        public TimeSpan Limit => id == "hangs" ? TimeSpan.FromMilliseconds(200) : TimeSpan.FromSeconds(10);

        public bool LoadsTheLines { get; init; }

        public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) => run(cancellationToken);
    }
}
