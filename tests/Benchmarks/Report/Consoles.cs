using Spectre.Console;

namespace Aggregator.Benchmarks.Report;

internal static class Consoles
{
    /// <summary>Tables in a file or a pipe are not folded to 80 columns.</summary>
    private const int FileColumns = 150;

    internal static IAnsiConsole Wide()
    {
        IAnsiConsole console = AnsiConsole.Console;
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = FileColumns;
            console.Profile.Capabilities.Ansi = false;
        }

        return console;
    }
}
