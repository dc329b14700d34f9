namespace Aggregator.Cli;

/// <summary>What standard output is.</summary>
internal static class Terminal
{
    /// <summary>Colour and progress bars: on a terminal only, and not where NO_COLOR (https://no-color.org) is set to anything.</summary>
    internal static bool IsInteractive => !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";

    internal static bool UsesColour => IsInteractive && ColourIsWelcome;

    /// <summary>The same for standard error.</summary>
    internal static bool ErrorUsesColour => !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb" && ColourIsWelcome;

    private static bool ColourIsWelcome => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
}
