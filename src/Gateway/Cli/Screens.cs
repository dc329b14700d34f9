using Aggregator.Cli;
using Spectre.Console;

namespace Aggregator.Gateway.Cli;

/// <summary>Tables on standard output, whatever that is.</summary>
internal static class Screens
{
    /// <summary>A file or a pipe has no width; lines that break in the middle are of no use to anybody.</summary>
    private const int WidthWithoutTerminal = 200;

    internal static IAnsiConsole On(TextWriter output)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = Terminal.IsInteractive ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = Terminal.UsesColour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        if (!Terminal.IsInteractive)
        {
            console.Profile.Width = WidthWithoutTerminal;
        }

        return console;
    }
}
