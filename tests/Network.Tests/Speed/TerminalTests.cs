using System.Text.RegularExpressions;
using Aggregator.Lab.Product;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Speed;

/// <summary>What `speedtest` writes to a terminal (a real one, of `script`'s), to one without colours, and to a pipe.</summary>
[Collection(ScenarioCollection.Name)]
public sealed partial class TerminalTests(ITestOutputHelper output)
{
    private const char Escape = '\u001b';
    private const int Columns = 60;

    [SkippableFact]
    public async Task The_display_is_of_the_terminal_that_there_is()
    {
        await using Scene scene = await Scene.StartAsync();
        string coloured = await OnTerminalAsync(scene, "");
        output.WriteLine(coloured.Replace(Escape, '^'));
        Lines(coloured).Where(l => l.Length > Columns).ShouldBeEmpty();
        Lines(coloured).ShouldContain(l => l.Contains("lte", StringComparison.Ordinal) && l.Contains('━') && l.Contains("Mbit/s", StringComparison.Ordinal) && Spark().IsMatch(l), "a bar and a sparkline of the link");
        coloured.ShouldMatch(@"\e\[\d+A", "the picture is drawn over the last one");
        Colour().IsMatch(coloured).ShouldBeTrue();
        Unbroken(coloured).ShouldContain("The lines are the limit");

        string plain = await OnTerminalAsync(scene, "NO_COLOR=1 ");
        Colour().IsMatch(plain).ShouldBeFalse();
        Lines(plain).Where(l => l.Length > Columns).ShouldBeEmpty();
        Lines(plain).ShouldContain(l => l.Contains('━') && Spark().IsMatch(l));

        ToolResult piped = await scene.Product.GatewayCommandAsync(Arguments);
        piped.OutputOrThrow().ShouldNotContain(Escape);
        piped.Output.ShouldNotContain('━');
        piped.Output.ShouldContain("The lines are the limit: lte ");
    }


    private static string[] Arguments { get; } = ["speedtest", "--link", "lte", "--down", "--duration", "1s"];

    private static async Task<string> OnTerminalAsync(Scene scene, string environment)
    {
        string command = $"stty cols {Columns} rows 40; exec env -u NO_COLOR TERM=xterm-256color {environment}{ProductFiles.Gateway} {string.Join(' ', Arguments)} --config {scene.Product.GatewayConfig}";
        return (await scene.Lab.Gateway.RunAsync("script", "-qec", command, "/dev/null")).OutputOrThrow();
    }

    /// <summary>Without what moves the cursor or colours.</summary>
    private static string[] Lines(string text) => Control().Replace(text, "").Split('\r', '\n');

    private static string Unbroken(string text) => Blanks().Replace(Control().Replace(text, ""), " ");

    [GeneratedRegex(@"\e\[[0-9;?]*[A-Za-z]")]
    private static partial Regex Control();

    [GeneratedRegex(@"\e\[(?:[0-9]+;)*(?:3[0-8]|9[0-7])(?:;[0-9]+)*m")]
    private static partial Regex Colour();

    [GeneratedRegex("[▁▂▃▄▅▆▇█]")]
    private static partial Regex Spark();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
