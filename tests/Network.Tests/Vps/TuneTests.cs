using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Vps;

/// <summary>`tune` against a real kernel, in a namespace whose settings are its own, with and without a daemon that holds some of the same settings.</summary>
public sealed class TuneTests
{
    private static readonly string[] Names = ["net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/core/somaxconn", "net/ipv4/tcp_max_syn_backlog"];

    [SkippableTheory]
    [InlineData(false, 0)]
    [InlineData(true, Libc.SIGTERM)]
    [InlineData(true, Libc.SIGKILL)]
    public async Task Set_kept_and_taken_back(bool withDaemon, int signal)
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = [new("one")] });
        string directory = Directory.CreateTempSubdirectory("aggregator-tune-").FullName;
        string dropIn = Path.Combine(directory, "90-aggregator-vps.conf");
        try
        {
            await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab);
            // Values that any plan would raise.
            lab.Vps.SetSysctl("net/ipv4/tcp_rmem", "4096 131072 4194304");
            lab.Vps.SetSysctl("net/ipv4/tcp_wmem", "4096 16384 4194304");
            lab.Vps.SetSysctl("net/core/somaxconn", "128");
            lab.Vps.SetSysctl("net/ipv4/tcp_max_syn_backlog", "128");
            string[] original = Values(lab);

            if (withDaemon)
            {
                await product.StartVpsAsync();
                await product.Vps.WaitForLineAsync("Listening on");
            }

            string[] before = Values(lab);
            using (JsonDocument shown = await TuneAsync(product, dropIn))
            {
                shown.RootElement.GetProperty("applied").GetBoolean().ShouldBeFalse();
                Setting(shown, "net.core.somaxconn").GetProperty("state").GetString().ShouldBe("change");
                Setting(shown, "net.core.somaxconn").GetProperty("current").GetString().ShouldBe("128");
                Setting(shown, "net.core.somaxconn").GetProperty("value").GetString().ShouldBe("4096");
                // tcp_mem is the host's alone, so it is not there at all; its buffers can be read here.
                Setting(shown, "net.ipv4.tcp_mem").GetProperty("state").GetString().ShouldBe("absent");
                Setting(shown, "net.core.rmem_max").GetProperty("state").GetString().ShouldBeOneOf("host-only", "ok");
            }

            Values(lab).ShouldBe(before, "to look changes nothing");
            File.Exists(dropIn).ShouldBeFalse();

            using (JsonDocument applied = await TuneAsync(product, dropIn, "--apply"))
            {
                applied.RootElement.GetProperty("applied").GetBoolean().ShouldBeTrue();
                Setting(applied, "net.core.somaxconn").GetProperty("before").GetString().ShouldBe("128");
            }

            string[] tuned = Values(lab);
            tuned[2].ShouldBe("4096");
            (await TuneAsync(product, dropIn, "--apply")).Dispose();
            Values(lab).ShouldBe(tuned, "again is the same");
            string kept = await File.ReadAllTextAsync(dropIn);
            kept.ShouldContain("-net.core.somaxconn = 4096\n");
            kept.ShouldContain("-net.ipv4.tcp_rmem = 4096 131072 ");

            if (withDaemon)
            {
                product.Vps.Signal(signal);
                await product.Vps.WaitForExitAsync();
                if (signal == Libc.SIGKILL)
                {
                    (await product.VpsCommandAsync("down")).OutputOrThrow();
                }

                // The daemon's own are gone, the administrator's stay.
                Values(lab)[2].ShouldBe("4096");
                long.Parse(Values(lab)[0].Split(' ')[2]).ShouldBeGreaterThan(4194304);
            }

            using (JsonDocument undone = await TuneAsync(product, dropIn, "--undo"))
            {
                undone.RootElement.GetProperty("applied").GetBoolean().ShouldBeFalse();
            }

            Values(lab).ShouldBe(original);
            File.Exists(dropIn).ShouldBeFalse();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [SkippableFact]
    public async Task An_undo_beneath_a_running_daemon_is_in_force_when_it_ends()
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = [new("one")] });
        string directory = Directory.CreateTempSubdirectory("aggregator-tune-").FullName;
        string dropIn = Path.Combine(directory, "drop-in.conf");
        try
        {
            await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab);
            lab.Vps.SetSysctl("net/ipv4/tcp_rmem", "4096 131072 4194304");
            (await TuneAsync(product, dropIn, "--apply")).Dispose();
            await product.StartVpsAsync();
            await product.Vps.WaitForLineAsync("Listening on");
            (await TuneAsync(product, dropIn, "--undo")).Dispose();
            long.Parse(Values(lab)[0].Split(' ')[2]).ShouldBeGreaterThan(4194304, "the daemon still runs and needs it");
            await product.Vps.StopAsync();
            Values(lab)[0].ShouldBe("4096 131072 4194304");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [SkippableFact]
    public async Task Without_the_right_it_says_so()
    {
        await using NetworkLab lab = await LabTest.CreateAsync(new LabSpec { Wans = [new("one")] });
        await using AggregatorUnderTest product = await AggregatorUnderTest.PrepareAsync(lab);
        lab.Vps.SetSysctl("net/core/somaxconn", "128");
        string directory = Directory.CreateTempSubdirectory("aggregator-tune-").FullName;
        try
        {
            // As in a container: /proc/sys read-only.
            ToolResult result = await lab.Vps.RunAsync(
                "unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec \"$@\"", "sh",
                ProductFiles.Vps, "tune", "--apply", "--sysctl-file", Path.Combine(directory, "x.conf"), "--config", product.VpsConfig);
            result.ExitCode.ShouldBe(1);
            result.Error.ShouldContain("net.core.somaxconn = 4096: no permission");
            result.Error.Trim().Split('\n').Length.ShouldBe(1);
            File.Exists(Path.Combine(directory, "x.conf")).ShouldBeFalse();
            lab.Vps.InNamespace(() => File.ReadAllText("/proc/sys/net/core/somaxconn")).Trim().ShouldBe("128");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<JsonDocument> TuneAsync(AggregatorUnderTest product, string dropIn, params string[] how) =>
        JsonDocument.Parse((await product.VpsCommandAsync(["tune", .. how, "--json", "--sysctl-file", dropIn])).OutputOrThrow());

    private static JsonElement Setting(JsonDocument report, string name) =>
        report.RootElement.GetProperty("settings").EnumerateArray().Single(s => s.GetProperty("name").GetString() == name);

    private static string[] Values(NetworkLab lab) => lab.Vps.InNamespace(
        () => Names.Select(n => string.Join(' ', File.ReadAllText($"/proc/sys/{n}").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))).ToArray());
}
