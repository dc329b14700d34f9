using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Interop;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Netlink;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Vps;

/// <summary>`aggregator-vps run` as a process in a namespace of its own: what it does to the host, and what it says when it cannot.</summary>
public sealed class VpsDaemonTests : IAsyncLifetime
{
    private const int Port = 7443;
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(60);

    private readonly string _directory = Directory.CreateTempSubdirectory("aggregator-vps-run-").FullName;
    private TestNamespace? _namespace;

    private string Config => Path.Combine(_directory, "vps.yaml");

    private TestNamespace Namespace => _namespace!;

    public async Task InitializeAsync()
    {
        if (Environment.IsPrivilegedProcess)
        {
            _namespace = await TestNamespace.CreateAsync();
            await WriteAsync("");
        }
    }

    public async Task DisposeAsync()
    {
        if (_namespace is not null)
        {
            await _namespace.DisposeAsync();
        }

        Directory.Delete(_directory, recursive: true);
    }

    [SkippableFact]
    public async Task What_it_changes_is_put_back_on_stop_and_after_a_crash()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        string before = await SettingsAsync();
        await using (var daemon = await StartAsync())
        {
            (await SettingsAsync()).ShouldNotBe(before);
            (await daemon.StopAsync(Generous)).ShouldBe(0);
        }

        (await SettingsAsync()).ShouldBe(before);

        // Killed, started again, killed again: the originals are still those of before the first start.
        for (int i = 0; i < 2; i++)
        {
            await using var killed = await StartAsync();
            killed.Kill();
            await killed.WaitForExitAsync(Generous);
            (await SettingsAsync()).ShouldNotBe(before);
        }

        (await CommandAsync("down")).ExitCode.ShouldBe(0);
        (await SettingsAsync()).ShouldBe(before);
        (await CommandAsync("down")).Output.Trim().ShouldBe("nothing to put back");

        // And a daemon that follows a crash puts them back itself.
        await using (var killed = await StartAsync())
        {
            killed.Kill();
            await killed.WaitForExitAsync(Generous);
        }

        await using (var next = await StartAsync())
        {
            (await next.StopAsync(Generous)).ShouldBe(0);
        }

        (await SettingsAsync()).ShouldBe(before);
    }

    [SkippableFact]
    public async Task A_second_one_and_a_taken_port_are_one_line_each()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        (await CommandAsync("status")).ExitCode.ShouldBe(3);
        await using var daemon = await StartAsync();
        OneLine(await CommandAsync("run")).ShouldContain("another aggregator-vps uses");
        OneLine(await CommandAsync("down")).ShouldContain("is running");

        string other = Path.Combine(_directory, "other.yaml");
        await File.WriteAllTextAsync(other, $"listen: \"[::]:{Port}\"\nstate: {_directory}/other\napi: {_directory}/other.sock\n");
        OneLine(await CommandAsync("run", other)).ShouldContain("in use");

        using var status = JsonDocument.Parse((await CommandAsync("status", null, "--json")).OutputOrThrow());
        status.RootElement.GetProperty("listen").GetString().ShouldBe($"[::]:{Port}");
        File.GetUnixFileMode(Path.Combine(_directory, "vps.sock")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [SkippableFact]
    public async Task A_bad_file_at_reload_changes_nothing()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        await using var daemon = await StartAsync();
        await WriteAsync("egres: {}\n");
        daemon.Signal(1).ShouldBeTrue();
        (await daemon.WaitForLineAsync("stays as it was", Generous)).ShouldContain("egres");
        await WriteAsync("plain: allow\n");
        daemon.Signal(1).ShouldBeTrue();
        await daemon.WaitForLineAsync("taken over", Generous);
        (await CommandAsync("status")).ExitCode.ShouldBe(0);
        (await daemon.StopAsync(Generous)).ShouldBe(0);
    }

    /// <summary>No descriptors left: it says so once, the connections wait in the kernel, and it goes on when there are some again.</summary>
    [SkippableFact]
    public async Task Running_out_of_descriptors_is_survived()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        await using var daemon = await StartAsync();
        // What a daemon loads with its first peers and its first question is not what this is about.
        for (int i = 0; i < 3; i++)
        {
            using var first = await ConnectAsync();
            await first.SendAsync("not TLS"u8.ToArray());
            await first.ReceiveAsync(new byte[16]).ContinueWith(_ => { }, TaskScheduler.Default);
        }

        (await CommandAsync("status")).OutputOrThrow();
        int used = Directory.GetFileSystemEntries($"/proc/{daemon.Id}/fd").Length;
        (await Tool.RunAsync("prlimit", ["--pid", $"{daemon.Id}", $"--nofile={used + 8}:{used + 8}"])).OutputOrThrow();

        List<Socket> clients = [];
        for (int i = 0; i < 20; i++)
        {
            clients.Add(await ConnectAsync());
        }

        await daemon.WaitForLineAsync("Cannot accept", Generous);
        clients.ForEach(c => c.Dispose());
        await daemon.WaitForLineAsync("Accepting connections again", Generous);
        var status = await CommandAsync("status");
        status.ExitCode.ShouldBe(0, status.Error + daemon.Transcript());
        (await daemon.StopAsync(Generous)).ShouldBe(0);
    }

    [SkippableFact]
    public async Task Without_MPTCP_it_serves_plain_TCP_and_says_so()
    {
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root");
        Namespace.SetSysctl("net.mptcp.enabled", "0");
        await using var daemon = await StartAsync();
        await daemon.WaitForLineAsync("MPTCP is not available", Generous);
        using var client = await ConnectAsync();
        using var status = JsonDocument.Parse((await CommandAsync("status", null, "--json")).OutputOrThrow());
        status.RootElement.GetProperty("warnings").GetArrayLength().ShouldBeGreaterThan(0);
        (await daemon.StopAsync(Generous)).ShouldBe(0);
    }

    private async Task<LabProcess> StartAsync()
    {
        var daemon = LabProcess.Start(Namespace.Name, "vps", new LabProgram(ProductFiles.Vps, ["run", "--config", Config]));
        try
        {
            await daemon.WaitForLineAsync("Listening on", Generous);
            return daemon;
        }
        catch
        {
            await daemon.DisposeAsync();
            throw;
        }
    }

    private Task<ToolResult> CommandAsync(string command, string? config = null, params string[] more) =>
        Tool.RunAsync("ip", ["netns", "exec", Namespace.Name, ProductFiles.Vps, command, .. more, "--config", config ?? Config]);

    private static string OneLine(ToolResult result)
    {
        result.ExitCode.ShouldBe(1);
        string error = result.Error.TrimEnd('\n');
        error.ShouldStartWith("aggregator-vps: ");
        error.ShouldNotContain("\n");
        return error;
    }

    private Task WriteAsync(string more) => File.WriteAllTextAsync(
        Config, $"listen: \"[::]:{Port}\"\npublic: [vps.example.net]\nstate: {_directory}/state\napi: {_directory}/vps.sock\n{more}");

    private async Task<Socket> ConnectAsync()
    {
        var socket = Namespace.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(IPAddress.Loopback, Port);
        return socket;
    }

    /// <summary>Everything below net.ipv4.tcp_* and net.mptcp.* and the path manager's limits, as the system's own tools print them.</summary>
    private async Task<string> SettingsAsync()
    {
        string sysctls = (await Tool.RunAsync("ip", ["netns", "exec", Namespace.Name, "sysctl", "-a", "-r", "^net\\.(ipv4\\.tcp_|mptcp\\.)"])).OutputOrThrow();
        return sysctls + await Namespace.IpAsync("mptcp limits");
    }
}
