using Spectre.Console;
using Spectre.Console.Rendering;

namespace Aggregator.Gateway.Cli;

/// <summary>
/// Rows of figures under common headings: a table where there is room for one; else a paragraph for each row, because a table whose cells break within
/// words and numbers is read by nobody.
/// </summary>
/// <param name="headings">The first is the rows' name.</param>
/// <param name="texts">So many of the first columns are text, not numbers.</param>
internal sealed class Figures(string? title, string[] headings, int texts = 1)
{
    /// <summary>For ten columns of ordinary figures.</summary>
    private const int Roomy = 110;

    private const string Indent = "  ";

    private readonly List<string[]> _rows = [];

    /// <param name="values">As plain text; fewer than there are headings are the first.</param>
    internal void Add(params string[] values) => _rows.Add(values);

    internal IRenderable Draw(int width) => width >= Roomy ? Wide() : Narrow(width);

    private Table Wide()
    {
        var table = new Table { Border = TableBorder.Rounded };
        if (title is not null)
        {
            table.Title = new TableTitle(title.EscapeMarkup());
        }

        for (int i = 0; i < headings.Length; i++)
        {
            var column = new TableColumn(headings[i]);
            table.AddColumn(i < texts ? column : column.RightAligned());
        }

        foreach (string[] row in _rows)
        {
            table.AddRow([.. row.Select(v => v.EscapeMarkup())]);
        }

        return table;
    }

    private Rows Narrow(int width)
    {
        var lines = new List<IRenderable>();
        if (title is not null)
        {
            lines.Add(new Markup($"[underline]{title.EscapeMarkup()}[/]"));
        }

        foreach (string[] row in _rows)
        {
            string name = $"[bold]{row[0].EscapeMarkup()}[/] ";
            string line = "";
            int used = row[0].Length + 1;
            for (int i = 1; i < row.Length; i++)
            {
                // A figure and its name stay together.
                string pair = $"{headings[i]} {row[i]}{(i + 1 < row.Length ? ", " : "")}";
                if (used + pair.Length > width && used > Indent.Length)
                {
                    lines.Add(new Markup(name + line));
                    (name, line, used) = ("", Indent, Indent.Length);
                }

                line += pair.EscapeMarkup();
                used += pair.Length;
            }

            lines.Add(new Markup(name + line));
        }

        return new Rows(lines);
    }
}
