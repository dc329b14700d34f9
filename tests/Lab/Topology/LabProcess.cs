using System.Diagnostics;
using Aggregator.Interop;
using Aggregator.Lab.Ownership;

namespace Aggregator.Lab.Topology;

/// <param name="Environment">Added to ours.</param>
internal sealed record LabProgram(
    string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string>? Environment = null, string? WorkingDirectory = null);

/// <summary>
/// A program in the background, in a session of its own (so that a Ctrl-C at the terminal reaches us first). Its output is kept, the newest
/// <see cref="LinesKept"/> lines of each stream.
/// </summary>
internal sealed class LabProcess : IAsyncDisposable
{
    internal const int LinesKept = 10_000;

    private readonly Process _process;
    private readonly LineBuffer _output = new(LinesKept);
    private readonly LineBuffer _error = new(LinesKept);
    private readonly Task _reading;

    private LabProcess(Process process, string title)
    {
        _process = process;
        Title = title;
        Id = process.Id;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _error));
    }

    /// <summary>For messages: the program and its host.</summary>
    internal string Title { get; }

    /// <summary>Process, group and session.</summary>
    internal int Id { get; }

    internal IReadOnlyList<string> Output => _output.Lines;

    internal IReadOnlyList<string> Error => _error.Lines;

    /// <summary>Standard error with the moment (of Stopwatch) in which each line came.</summary>
    internal IReadOnlyList<(long At, string Text)> StampedError => _error.Stamped;

    internal bool HasExited => _process.HasExited;

    /// <summary>Of a program that has ended.</summary>
    internal int ExitCode => _process.ExitCode;

    internal static LabProcess Start(string networkNamespace, string role, LabProgram program)
    {
        ExitCleanup.Check();

        // setsid and `ip netns exec` exec what follows them, so the process keeps its number.
        var start = new ProcessStartInfo("setsid", ["ip", "netns", "exec", networkNamespace, program.Program, .. program.Arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = program.WorkingDirectory ?? "",
        };
        start.Environment["LC_ALL"] = "C";
        start.Environment["NO_COLOR"] = "1";
        foreach (var (key, value) in program.Environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }

        var process = Process.Start(start) ?? throw new IOException($"{program.Program} did not start");
        process.StandardInput.Close();
        return new LabProcess(process, $"{Path.GetFileName(program.Program)} in {role}");
    }

    /// <summary>Waits for a line of either stream that has <paramref name="text"/>, also one that came before.</summary>
    /// <exception cref="TimeoutException">With what the program said instead.</exception>
    /// <exception cref="IOException">It ended without saying so.</exception>
    internal Task<string> WaitForLineAsync(string text, TimeSpan? timeout = null) =>
        WaitForLineAsync(line => line.Contains(text, StringComparison.Ordinal), $"a line with '{text}'", timeout);

    /// <inheritdoc cref="WaitForLineAsync(string, TimeSpan?)"/>
    internal async Task<string> WaitForLineAsync(Func<string, bool> matches, string what, TimeSpan? timeout = null)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(20);
        using var done = new CancellationTokenSource();
        try
        {
            string? line = await FindAsync(matches, done.Token).WaitAsync(limit);
            return line ?? throw new IOException($"{Title} ended without {what}\n{Transcript()}");
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Title} did not print {what} within {limit.TotalSeconds:0.#} s\n{Transcript()}");
        }
        finally
        {
            await done.CancelAsync();
        }
    }

    internal async Task<int> WaitForExitAsync(TimeSpan? timeout = null)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(timeout ?? TimeSpan.FromSeconds(30));
            await _reading.WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Title} did not end\n{Transcript()}");
        }

        return _process.ExitCode;
    }

    /// <summary>Sends a signal to the program alone. False: it has ended.</summary>
    internal bool Signal(int signal) => !HasExited && Libc.kill(Id, signal) == 0;

    /// <summary>SIGTERM, and its exit status.</summary>
    internal Task<int> StopAsync(TimeSpan? timeout = null)
    {
        Signal(Libc.SIGTERM);
        return WaitForExitAsync(timeout);
    }

    /// <summary>SIGKILL to the program and all of its session.</summary>
    internal void Kill()
    {
        bool ended = HasExited;
        if (ended && Directory.Exists($"/proc/{Id}"))
        {
            // The number is another process's by now, so none of ours can be left in the group.
            return;
        }

        // ESRCH: nothing of it is left, or setsid has not made the session yet.
        if (Libc.kill(-Id, Libc.SIGKILL) < 0 && !ended)
        {
            _ = Libc.kill(Id, Libc.SIGKILL);
        }
    }

    /// <summary>Both streams, for the message of a failed test.</summary>
    internal string Transcript() => $"--- output\n{string.Join('\n', Output)}\n--- error\n{string.Join('\n', Error)}";

    public async ValueTask DisposeAsync()
    {
        Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task<string?> FindAsync(Func<string, bool> matches, CancellationToken cancellationToken)
    {
        var output = _output.FindAsync(matches, cancellationToken);
        var error = _error.FindAsync(matches, cancellationToken);
        var first = await Task.WhenAny(output, error);
        return await first ?? await (first == output ? error : output);
    }

    private static async Task ReadAsync(StreamReader reader, LineBuffer buffer)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                buffer.Add(line);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Disposed while a grandchild held the pipe open.
        }
        finally
        {
            buffer.Complete();
        }
    }
}
