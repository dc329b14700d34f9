using System.Net;
using Aggregator.Processes;

namespace Aggregator.Lab.Topology;

/// <summary>A host of the lab: a network namespace with its programs.</summary>
internal sealed class LabHost
{
    private readonly List<LabProcess> _processes = [];
    private readonly Lock _lock = new();

    internal LabHost(string role, string name, IPAddress? address, IPAddress? addressV6)
    {
        Role = role;
        Name = name;
        Address = address;
        AddressV6 = addressV6;
    }

    /// <summary>`gw`, `vps`, `client`, `inet`, `core`, `isp1`…</summary>
    internal string Role { get; }

    /// <summary>The namespace, as `ip netns exec` takes it.</summary>
    internal string Name { get; }

    /// <summary>Its chief address; of the gateway that in the LAN.</summary>
    internal IPAddress? Address { get; }

    internal IPAddress? AddressV6 { get; }

    /// <summary>Runs a program to its end.</summary>
    internal Task<ToolResult> RunAsync(string program, params string[] arguments) =>
        RunAsync(program, arguments, CancellationToken.None);

    /// <summary>Runs a program to its end; it is killed when <paramref name="cancellationToken"/> fires.</summary>
    internal Task<ToolResult> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        Tool.RunAsync("ip", ["netns", "exec", Name, program, .. arguments], null, cancellationToken);

    /// <summary>Runs a program to its end and gives its standard output.</summary>
    /// <exception cref="IOException">It failed; the message has its words.</exception>
    internal async Task<string> OutputAsync(string program, params string[] arguments)
    {
        var result = await RunAsync(program, arguments);
        return (result with { Program = $"{program} in {Role}" }).OutputOrThrow();
    }

    /// <summary>Runs a shell script: for tests that need pipes.</summary>
    internal Task<string> ShellAsync(string script) => OutputAsync("/bin/sh", "-ec", script);

    /// <summary>Starts a program in the background; it is killed with the lab at the latest, its children with it.</summary>
    internal LabProcess Start(string program, params string[] arguments) => Start(new LabProgram(program, arguments));

    /// <inheritdoc cref="Start(string, string[])"/>
    internal LabProcess Start(LabProgram program)
    {
        var process = LabProcess.Start(Name, Role, program);
        lock (_lock)
        {
            _processes.Add(process);
        }

        return process;
    }

    /// <summary>Runs <paramref name="work"/> on a thread in the namespace; sockets made there stay there, also for asynchronous use.</summary>
    internal T InNamespace<T>(Func<T> work) => NetworkNamespace.Run(Name, work);

    internal void InNamespace(Action work) => NetworkNamespace.Run(Name, work);

    internal void SetSysctl(string path, string value) => NetworkNamespace.SetSysctls(Name, [(path, value)]);

    /// <summary>Runs `ip -batch` in the namespace: one command a line, without the leading `ip`.</summary>
    internal async Task ConfigureAsync(string commands) =>
        (await Tool.RunAsync("ip", ["-n", Name, "-batch", "-"], commands)).OutputOrThrow();

    /// <summary>Waits until a program listens on a TCP port of this host.</summary>
    /// <exception cref="TimeoutException"/>
    internal async Task WaitForListenerAsync(int port, TimeSpan? timeout = null)
    {
        using var limit = new CancellationTokenSource(timeout ?? TimeSpan.FromSeconds(10));
        while (true)
        {
            string listening = await OutputAsync("ss", "-Hltn", "sport", "=", $":{port}");
            if (listening.Length > 0)
            {
                return;
            }

            if (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"nothing listens on port {port} of {Role}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20));
        }
    }

    /// <summary>Kills the background programs.</summary>
    internal void KillAll()
    {
        lock (_lock)
        {
            foreach (var process in _processes)
            {
                process.Kill();
            }
        }
    }

    internal async Task StopAllAsync()
    {
        KillAll();
        LabProcess[] processes;
        lock (_lock)
        {
            processes = [.. _processes];
            _processes.Clear();
        }

        foreach (var process in processes)
        {
            await process.DisposeAsync();
        }
    }
}
