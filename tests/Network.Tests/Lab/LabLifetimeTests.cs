using System.Diagnostics;
using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Lab.Ownership;
using Aggregator.Lab.Topology;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>A lab leaves nothing behind, however it ends.</summary>
public sealed class LabLifetimeTests
{
    private static readonly string Netlab = Path.Combine(AppContext.BaseDirectory, "netlab");

    [SkippableFact]
    public async Task Nothing_is_left_after_dispose()
    {
        var lab = await LabTest.CreateAsync(new LabSpec { Wans = [new WanSpec("a") { DownMbps = 10, UpMbps = 10 }, new WanSpec("b") { Unshaped = true }] });
        NamespaceRemoval.WithPrefix(lab.Record.Prefix).Length.ShouldBe(7);
        var sleeper = lab.Vps.Start("/bin/sh", "-c", "sleep 1000 & echo started; wait");
        await sleeper.WaitForLineAsync("started");
        await lab.DisposeAsync();

        NamespaceRemoval.WithPrefix(lab.Record.Prefix).ShouldBeEmpty();
        Directory.Exists(lab.Record.Path).ShouldBeFalse();
        Directory.Exists($"/proc/{sleeper.Id}").ShouldBeFalse();

        // What is dead may still be listed until its parent, or whoever inherited it, takes notice.
        string session = (await Tool.RunAsync("pgrep", ["-s", sleeper.Id.ToString()])).Output;
        session.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldAllBe(id => ProcessIdentity.Of(int.Parse(id)) == null, "its children are gone too");
    }

    [SkippableFact]
    public async Task A_bad_specification_is_refused_before_anything_is_made()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root for network namespaces");
        var own = () => LabRecord.All().Count(r => r.Owner == ProcessIdentity.Current);
        int before = own();
        foreach (LabSpec bad in new LabSpec[]
        {
            new() { Wans = [new WanSpec("a"), new WanSpec("a")] },
            new() { Wans = [new WanSpec("a") { MtuBytes = 100 }] },
            new() { Wans = [new WanSpec("a") { LossRatio = 1.5 }] },
            new() { Wans = [new WanSpec("a") { Unshaped = true, DownMbps = 10 }] },
            new() { Wans = [new WanSpec("a b")] },
            new() { Wans = [.. Enumerable.Range(0, LabSpec.MostWans + 1).Select(i => new WanSpec($"w{i}"))] },
        })
        {
            await Should.ThrowAsync<ArgumentException>(() => NetworkLab.CreateAsync(bad));
        }

        own().ShouldBe(before);
    }

    [SkippableTheory]
    [InlineData(Libc.SIGTERM)]
    [InlineData(Libc.SIGINT)]
    public async Task Netlab_takes_its_lab_away_when_it_is_told_to_end(int signal)
    {
        using var netlab = await UpAsync();
        string prefix = $"agl-{netlab.LabId}-";
        NamespaceRemoval.WithPrefix(prefix).ShouldNotBeEmpty();
        Libc.kill(netlab.Process.Id, signal).ShouldBe(0);
        await netlab.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));

        netlab.Process.ExitCode.ShouldBe(0);
        NamespaceRemoval.WithPrefix(prefix).ShouldBeEmpty();
        LabRecord.All().ShouldNotContain(r => r.Id == netlab.LabId);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_killed_netlab_left_is_swept_and_living_labs_stay(bool noteLeft)
    {
        await using var other = await LabTest.CreateAsync(new WanSpec("a") { DownMbps = 10, UpMbps = 10 });
        using var netlab = await UpAsync();
        string prefix = $"agl-{netlab.LabId}-";
        using var program = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", prefix + "vps", "sleep", "1000"]))!;
        netlab.Process.Kill();
        await netlab.Process.WaitForExitAsync();
        NamespaceRemoval.WithPrefix(prefix).ShouldNotBeEmpty("a kill leaves it behind");
        if (!noteLeft)
        {
            Directory.Delete(Path.Combine(LabRecord.Folder, netlab.LabId), recursive: true);
        }

        var clean = await Tool.RunAsync(Netlab, ["clean"]);
        clean.ExitCode.ShouldBe(0, clean.Error);
        NamespaceRemoval.WithPrefix(prefix).ShouldBeEmpty();
        LabRecord.All().ShouldNotContain(r => r.Id == netlab.LabId);
        await program.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(5));
        NamespaceRemoval.WithPrefix(other.Record.Prefix).ShouldNotBeEmpty("its owner lives");
    }

    [SkippableFact]
    public async Task A_living_lab_is_changed_and_shown_from_outside()
    {
        using var netlab = await UpAsync();
        (await Tool.RunAsync(Netlab, ["set", netlab.LabId, "fibre", "down=42.5", "down.burst=7M@80", "up.delay=33", "strip=join+drop-join", "blackhole=on"])).ExitCode.ShouldBe(0);
        var show = await Tool.RunAsync(Netlab, ["show", netlab.LabId, "--json"]);
        using var json = JsonDocument.Parse(show.OutputOrThrow());
        var wan = json.RootElement.GetProperty("wans")[0];
        wan.GetProperty("strip").GetString().ShouldBe("join+drop-join");
        wan.GetProperty("down").GetProperty("rate_mbps").GetDouble().ShouldBe(42.5);
        wan.GetProperty("down").GetProperty("burst_bytes").GetInt64().ShouldBe(7_000_000);
        wan.GetProperty("down").GetProperty("burst_mbps").GetDouble().ShouldBe(80);
        wan.GetProperty("up").GetProperty("burst_bytes").GetInt64().ShouldBe(0);
        wan.GetProperty("down").GetProperty("delay_ms").GetDouble().ShouldBe(10);
        wan.GetProperty("up").GetProperty("delay_ms").GetDouble().ShouldBe(33);
        wan.GetProperty("up").GetProperty("blackhole").GetBoolean().ShouldBeTrue();

        foreach (string[] bad in new[] { new[] { netlab.LabId, "fibre", "down=much" }, [netlab.LabId, "nosuch", "down=1"], ["nosuch", "fibre", "down=1"], [netlab.LabId, "fibre", "loss=2"], [netlab.LabId, "fibre", "down.burst=7M@1"] })
        {
            var result = await Tool.RunAsync(Netlab, ["set", .. bad]);
            result.ExitCode.ShouldBe(1);
            result.Error.Trim().Split('\n').Length.ShouldBe(1);
            result.Error.ShouldStartWith("netlab: ");
        }
    }

    private static async Task<RunningNetlab> UpAsync()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root for network namespaces");
        var process = Process.Start(new ProcessStartInfo(Netlab, ["up", "--wan", "name=fibre,down=100,up=20,delay=10", "--json"]) { RedirectStandardOutput = true })!;
        string? line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30));
        using var json = JsonDocument.Parse(line ?? throw new IOException("netlab said nothing"));
        return new RunningNetlab(process, json.RootElement.GetProperty("id").GetString()!);
    }

    private sealed record RunningNetlab(Process Process, string LabId) : IDisposable
    {
        public void Dispose()
        {
            if (!Process.HasExited)
            {
                // In good order, so that its lab goes with it.
                _ = Libc.kill(Process.Id, Libc.SIGTERM);
                Process.WaitForExit();
            }

            Process.Dispose();
        }
    }
}
