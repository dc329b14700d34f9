using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Aggregator.Settings;

namespace Aggregator.Cli;

/// <summary>
/// What both executables' command lines have in common: `--version`, exit codes, and that every failure is one line on standard error.
/// </summary>
internal static class CommandLine
{
    /// <summary>How long a command may go on after SIGTERM or Ctrl-C (which cancel its token) before the process is ended hard.</summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Runs what <paramref name="arguments"/> ask of <paramref name="root"/>.</summary>
    /// <param name="root">Its action and those of its commands throw <see cref="CliException"/> or <see cref="StateException"/> to fail.</param>
    /// <param name="name">The executable's name.</param>
    /// <param name="arguments">Without the executable.</param>
    /// <param name="output">Null: standard output.</param>
    /// <param name="error">Null: standard error.</param>
    /// <returns>An <see cref="ExitCode"/>.</returns>
    internal static async Task<int> RunAsync(
        RootCommand root, string name, IReadOnlyList<string> arguments, TextWriter? output = null, TextWriter? error = null)
    {
        foreach (var version in root.Options.OfType<VersionOption>())
        {
            version.Action = new PrintVersion(name);
        }

        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples();
        }

        var invocation = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = TerminationTimeout,
            Output = output ?? Console.Out,
            Error = error ?? Console.Error,
        };
        // No response files: an argument that begins with @ is what it is.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            await invocation.Error.WriteLineAsync($"{name}: {Explain(parsed)}; see `{CommandPath(name, parsed.CommandResult)} --help`");
            return ExitCode.WrongUsage;
        }

        try
        {
            return await parsed.InvokeAsync(invocation);
        }
        catch (CliException e)
        {
            await invocation.Error.WriteLineAsync($"{name}: {e.Message}");
            return e.ExitCode;
        }
        catch (StateException e)
        {
            await invocation.Error.WriteLineAsync($"{name}: {e.Message}");
            return ExitCode.Failed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The system said no (a full disk, a closed pipe, a right that is missing): nothing of ours to report.
            await invocation.Error.WriteLineAsync($"{name}: {OneLine(e.Message)}");
            return ExitCode.Failed;
        }
        catch (OperationCanceledException)
        {
            await invocation.Error.WriteLineAsync($"{name}: interrupted");
            return ExitCode.Failed;
        }
        catch (Exception e)
        {
            // A bug of ours: the line for the user, and what is needed to find it.
            await invocation.Error.WriteLineAsync($"{name}: internal error ({OneLine(e.Message)}); please report it with what follows");
            await invocation.Error.WriteLineAsync(e.ToString());
            return ExitCode.Failed;
        }
    }

    private static string Explain(ParseResult parsed)
    {
        // Of several errors the one that names what was typed.
        if (parsed.UnmatchedTokens is [var unknown, ..])
        {
            var command = parsed.CommandResult.Command;
            bool option = unknown.StartsWith('-');
            var known = option ? command.Options.Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
            string kind = option ? "option" : command.Subcommands.Any() ? "command" : "argument";
            return $"there is no {kind} {MapReader.Shown(unknown)} here{NearMiss.Hint(unknown, known)}";
        }

        return parsed.CommandResult.Command.Subcommands.Any() ? "a command is missing" : OneLine(parsed.Errors[0].Message);
    }

    private static string CommandPath(string name, CommandResult result)
    {
        var path = new List<string>();
        for (SymbolResult? at = result; at is CommandResult { Command: not RootCommand } command; at = at.Parent)
        {
            path.Insert(0, command.Command.Name);
        }

        return string.Join(' ', path.Prepend(name));
    }

    private static string OneLine(string message) => message.ReplaceLineEndings(" ").TrimEnd('.', ' ');

    private sealed class PrintVersion(string name) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine($"{name} {ProductVersion.Text}");
            return ExitCode.Done;
        }
    }
}
