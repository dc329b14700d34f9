namespace Aggregator.Cli;

/// <summary>A command that cannot go on. The message is the one line for standard error: what is wrong and what to do.</summary>
internal sealed class CliException(string message, int exitCode = ExitCode.Failed, Exception? inner = null) : Exception(message, inner)
{
    internal int ExitCode { get; } = exitCode;
}
