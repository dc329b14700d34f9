using System.CommandLine;

namespace Aggregator.Lab.Cli;

/// <summary>The command line of netlab.</summary>
internal static class NetlabCommand
{
    internal static RootCommand Create() => new("A home with several internet lines, a VPS and an internet host, emulated in network namespaces. Needs root.")
    {
        UpCommand.Create(),
        SetCommand.Create(),
        ShowCommand.Create(),
        ListCommand.Create(),
        CleanCommand.Create(),
    };

    /// <summary>Errors are one line on standard error and exit status 1.</summary>
    internal static async Task<int> GuardAsync(Func<Task> work)
    {
        try
        {
            await work();
            return 0;
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException or UnauthorizedAccessException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"netlab: {e.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }
}
