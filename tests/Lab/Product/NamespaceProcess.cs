using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Aggregator.Processes;

namespace Aggregator.Lab.Product;

/// <summary>
/// A program that runs in a network namespace until it is stopped: a daemon, a server, a rival. `ip netns exec` becomes the
/// program (exec), so the process id is the program's own.
/// </summary>
internal sealed class NamespaceProcess : IAsyncDisposable
{
    /// <summary>Enough to tell why a program ended; a chatty one cannot fill the memory.</summary>
    private const int KeptLines = 400;

    /// <summary>How long SIGTERM is given before SIGKILL.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private NamespaceProcess(string name, Process process)
    {
        Name = name;
        _process = process;
    }

    /// <summary>The program's name, for messages.</summary>
    internal string Name { get; }

    internal int Id => _process.Id;

    internal bool HasExited => _process.HasExited;

    internal int ExitCode => _process.ExitCode;

    /// <summary>The last lines of both outputs, oldest first.</summary>
    internal string Output => string.Join('\n', _lines);

    /// <exception cref="System.ComponentModel.Win32Exception">`ip` cannot be started.</exception>
    internal static NamespaceProcess Start(string networkNamespace, string program, params IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("ip", ["netns", "exec", networkNamespace, program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["LC_ALL"] = "C";
        start.Environment["NO_COLOR"] = "1";
        var process = new Process { StartInfo = start };
        var running = new NamespaceProcess(Path.GetFileName(program), process);
        process.OutputDataReceived += (_, e) => running.Keep(e.Data);
        process.ErrorDataReceived += (_, e) => running.Keep(e.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return running;
    }

    /// <summary>Polls <paramref name="condition"/> until it holds.</summary>
    /// <exception cref="IOException">The program ended first.</exception>
    /// <exception cref="TimeoutException">It did not come to hold in time. Both messages carry the program's output.</exception>
    internal async Task WaitForAsync(
        Func<CancellationToken, Task<bool>> condition, string what, TimeSpan atMost, CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition(cancellationToken))
        {
            if (HasExited)
            {
                throw new IOException($"{Name} ended with status {ExitCode} before {what}:\n{Output}");
            }

            if (Stopwatch.GetElapsedTime(start) > atMost)
            {
                throw new TimeoutException($"{Name}: no {what} within {atMost.TotalSeconds:0} s:\n{Output}");
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Waits until some socket of the namespace listens on the TCP port.</summary>
    internal Task WaitForListenerAsync(string networkNamespace, int port, CancellationToken cancellationToken) =>
        WaitForAsync(
            async c => (await Tool.RunAsync(
                "ip",
                ["netns", "exec", networkNamespace, "ss", "-HMtlnO", "sport", "=", port.ToString(CultureInfo.InvariantCulture)],
                cancellationToken: c)).OutputOrThrow().Length > 0,
            $"listener on port {port}",
            TimeSpan.FromSeconds(20),
            cancellationToken);

    /// <summary>Sends a signal by its name (TERM, KILL, HUP).</summary>
    internal async Task SignalAsync(string signal)
    {
        if (!HasExited)
        {
            await Tool.RunAsync("kill", ["-s", signal, Id.ToString(CultureInfo.InvariantCulture)]);
        }
    }

    /// <summary>SIGTERM, then SIGKILL when that does not end it in time.</summary>
    /// <returns>Whether it ended by itself after SIGTERM (or before).</returns>
    internal async Task<bool> StopAsync()
    {
        await SignalAsync("TERM");
        using var timeout = new CancellationTokenSource(StopTime);
        try
        {
            await _process.WaitForExitAsync(timeout.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            return false;
        }
    }

    internal Task WaitForExitAsync(CancellationToken cancellationToken) => _process.WaitForExitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        _lines.Enqueue(line);
        while (_lines.Count > KeptLines && _lines.TryDequeue(out string? _))
        {
        }
    }
}
