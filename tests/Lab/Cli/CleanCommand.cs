using System.CommandLine;
using Aggregator.Lab.Ownership;

namespace Aggregator.Lab.Cli;

/// <summary>`netlab clean`: takes away what crashed labs left.</summary>
internal static class CleanCommand
{
    internal static Command Create()
    {
        var command = new Command("clean", "Take away the namespaces and processes of labs whose owner is dead. Living labs are left alone.");
        command.Aliases.Add("sweep");
        command.SetAction(_ => NetlabCommand.GuardAsync(async () =>
        {
            foreach (string id in await LabRecord.SweepAsync())
            {
                Console.WriteLine($"lab {id} taken away");
            }
        }));
        return command;
    }
}
