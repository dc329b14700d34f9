using Aggregator.Protocol.V1;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Aggregator.Gateway.Cli;

/// <summary>A doctor's report as people read it: what is wrong first, then the rest in the report's order.</summary>
internal static class DoctorTable
{
    internal static IRenderable Draw(DoctorReport report)
    {
        var table = new Table { Border = TableBorder.Rounded, ShowRowSeparators = true };
        table.AddColumns("", "Check", "Finding and next step");
        foreach (var check in report.Checks.OrderBy(c => c.Result switch { "fail" => 0, "warn" => 1, "ok" => 2, _ => 3 }))
        {
            string colour = check.Result switch { "ok" => "green", "warn" => "yellow", "fail" => "red", _ => "grey" };
            string finding = check.Finding.EscapeMarkup();
            table.AddRow(
                new Markup($"[{colour}]{check.Result.EscapeMarkup()}[/]"),
                new Markup($"{check.Title.EscapeMarkup()}\n[grey]{check.Id.EscapeMarkup()}[/]"),
                new Markup(check.HasRemedy ? $"{finding}\n[bold]→[/] {check.Remedy.EscapeMarkup()}" : finding));
        }

        return new Rows(table, new Markup(Summary(report)));
    }

    private static string Summary(DoctorReport report)
    {
        int fails = report.Checks.Count(c => c.Result == "fail");
        int warns = report.Checks.Count(c => c.Result == "warn");
        int skips = report.Checks.Count(c => c.Result == "skip");
        return $"{report.Checks.Count} checks: [red]{fails} failed[/], [yellow]{warns} warnings[/], {skips} skipped";
    }
}
