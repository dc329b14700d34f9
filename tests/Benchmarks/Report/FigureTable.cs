using Aggregator.Benchmarks.Scenarios.Trunk;
using Spectre.Console;

namespace Aggregator.Benchmarks.Report;

/// <summary>Figures with what they must be.</summary>
internal static class FigureTable
{
    internal static void Write(string title, IReadOnlyList<TrunkFigure> figures)
    {
        Table table = new Table().Title(title).Border(TableBorder.Rounded);
        table.AddColumns("row", "what", "measured", "wanted", "");
        foreach (TrunkFigure f in figures)
        {
            table.AddRow(
                f.Row.EscapeMarkup(),
                f.What.EscapeMarkup(),
                f.Value.EscapeMarkup(),
                f.Wanted.EscapeMarkup(),
                f.Held switch { true => "[green]holds[/]", false => "[red]does not hold[/]", null => "" });
        }

        Consoles.Wide().Write(table);
    }
}
