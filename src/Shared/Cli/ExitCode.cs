namespace Aggregator.Cli;

/// <summary>What the executables return to scripts.</summary>
internal static class ExitCode
{
    internal const int Done = 0;

    /// <summary>One line on standard error said what and what to do.</summary>
    internal const int Failed = 1;

    internal const int WrongUsage = 2;

    internal const int NotRunning = 3;
}
