using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Aggregator.Processes;

/// <summary>Runs a program of the user's: with a time limit, and whatever it prints costs no more memory than <see cref="MaxOutput"/>.</summary>
internal static class UserProgram
{
    /// <summary>Characters of its output that are kept, for the message.</summary>
    internal const int MaxOutput = 2000;

    /// <summary>
    /// Runs <paramref name="program"/> to its end. After <paramref name="limit"/>, or when <paramref name="cancellationToken"/> fires, it is killed
    /// with its children.
    /// </summary>
    /// <param name="environment">On top of our own.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal static async Task<UserProgramOutcome> RunAsync(
        string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment,
        TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment)
        {
            // The kernel's strings end at a NUL.
            start.Environment[name] = value.Replace('\0', ' ');
        }

        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new UserProgramOutcome(null, "", e.Message);
        }

        using var timer = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            process.StandardInput.Close();
            var output = ReadAsync(process.StandardOutput, either.Token);
            var error = ReadAsync(process.StandardError, either.Token);
            await process.WaitForExitAsync(either.Token);
            // What it left in the background may hold its outputs open: that is waited for within the limit only.
            string said = (await error).Trim() is { Length: > 0 } complaint ? complaint : (await output).Trim();
            return new UserProgramOutcome(
                process.ExitCode,
                said,
                process.ExitCode == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"ended with status {process.ExitCode}{(said.Length > 0 ? $": {said.Split('\n')[0]}" : "")}"));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            bool ended = process.HasExited;
            return ended
                ? new UserProgramOutcome(process.ExitCode, "", process.ExitCode == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"ended with status {process.ExitCode}"))
                : new UserProgramOutcome(null, "", string.Create(CultureInfo.InvariantCulture, $"killed after {limit.TotalSeconds:0} s"));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static async Task<string> ReadAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var buffer = new char[MaxOutput];
        char[] waste = [];
        int kept = 0;
        while (true)
        {
            var room = kept < buffer.Length ? buffer.AsMemory(kept) : (waste.Length > 0 ? waste : waste = new char[4096]);
            int count = await reader.ReadAsync(room, cancellationToken);
            if (count == 0)
            {
                return new string(buffer, 0, kept);
            }

            kept = kept < buffer.Length ? kept + count : kept;
        }
    }
}

/// <param name="ExitCode">Null: it was not started, or was killed.</param>
/// <param name="Output">The beginning of what it said, on standard error where it said something there.</param>
/// <param name="Problem">Null: it ended with 0.</param>
internal sealed record UserProgramOutcome(int? ExitCode, string Output, string? Problem);
