using System.CommandLine;
using Aggregator.Cli;
using Aggregator.Settings;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Cli;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("ok", 0, "")]
    [InlineData("fail", 1, "tool: it broke; mend it\n")]
    [InlineData("off", 3, "tool: the daemon is not running (no answer on /nowhere/x.sock); start it with `tool run`\n")]
    [InlineData("state", 1, "tool: /x: damaged\n")]
    [InlineData("", 2, "tool: a command is missing; see `tool --help`\n")]
    [InlineData("faill", 2, "tool: there is no command \"faill\" here (did you mean `fail`?); see `tool --help`\n")]
    [InlineData("ok --wat", 2, "tool: there is no option \"--wat\" here; see `tool ok --help`\n")]
    [InlineData("ok --number x", 2, "tool: --number: must be a number from 1 to 65535; it is \"x\"; see `tool ok --help`\n")]
    [InlineData("ok @/etc/passwd", 2, "tool: there is no argument \"@/etc/passwd\" here; see `tool ok --help`\n")]
    public async Task Exit_codes_and_one_line_on_standard_error(string arguments, int exitCode, string said)
    {
        var (code, _, error) = await RunAsync(arguments);
        error.ShouldBe(said);
        code.ShouldBe(exitCode);
    }

    [Fact]
    public async Task Version_is_the_name_and_the_version()
    {
        var (code, output, _) = await RunAsync("--version");
        output.ShouldBe($"tool {ProductVersion.Text}\n");
        code.ShouldBe(0);
    }

    [Fact]
    public async Task Help_ends_with_the_examples()
    {
        var (code, output, _) = await RunAsync("ok --help");
        output.ShouldContain("Example:\n  tool ok --number 1\n");
        code.ShouldBe(0);
    }

    [Fact]
    public async Task A_bug_is_called_one()
    {
        var (code, _, error) = await RunAsync("bug");
        error.ShouldStartWith("tool: internal error (oops); please report it with what follows\n");
        error.ShouldContain("InvalidOperationException");
        code.ShouldBe(1);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string arguments)
    {
        var ok = new ExampleCommand("ok", "Does nothing.", "tool ok --number 1") { Options.Strict("--number", "N", "A number", Values.Port) };
        ok.SetAction(_ => 0);
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int code = await CommandLine.RunAsync(
            new RootCommand("A tool.")
            {
                ok,
                Throwing("fail", _ => throw new CliException("it broke; mend it")),
                Throwing("state", _ => throw new StateException("/x", "damaged")),
                Throwing("bug", _ => throw new InvalidOperationException("oops")),
                Throwing("off", async cancel => (await LocalClient.ConnectAsync("/nowhere/x.sock", "tool run", cancel)).Dispose()),
            },
            "tool",
            arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            output,
            error);
        return (code, output.ToString(), error.ToString());
    }

    private static Command Throwing(string name, Func<CancellationToken, Task> action)
    {
        var command = new Command(name);
        command.SetAction(async (_, cancel) => await action(cancel));
        return command;
    }
}
