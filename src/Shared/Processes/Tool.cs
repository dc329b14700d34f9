using System.ComponentModel;
using System.Diagnostics;

namespace Aggregator.Processes;

/// <summary>Runs a program of the system with an argument list (never through a shell) and collects what it says.</summary>
internal static class Tool
{
    /// <summary>
    /// Runs <paramref name="program"/> to its end. It is killed when <paramref name="cancellationToken"/> fires.
    /// </summary>
    /// <returns>Its exit status and both outputs. A program that cannot be started is exit status 127 with the reason as its error output.</returns>
    internal static async Task<ToolResult> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        string? input = null,
        CancellationToken cancellationToken = default)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        // Output is read by programs: no translations, no colours.
        start.Environment["LC_ALL"] = "C";
        start.Environment["NO_COLOR"] = "1";

        using var process = new Process { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new ToolResult(program, 127, "", $"{program}: {e.Message}");
        }

        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            try
            {
                await process.StandardInput.WriteAsync((input ?? "").AsMemory(), cancellationToken);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading all its input; its exit status and error output tell why.
            }

            await process.WaitForExitAsync(cancellationToken);
            return new ToolResult(program, process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }
}

/// <param name="Program">What was run.</param>
/// <param name="ExitCode">0 for success; 127 when it could not be started.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record ToolResult(string Program, int ExitCode, string Output, string Error)
{
    internal bool Succeeded => ExitCode == 0;

    /// <summary>The output, or an <see cref="IOException"/> with the program's own words.</summary>
    internal string OutputOrThrow() =>
        Succeeded ? Output : throw new IOException($"{Program} ended with status {ExitCode}: {Error.Trim()}");
}
