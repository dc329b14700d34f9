using System.CommandLine;
using Aggregator.Lab.Ownership;

namespace Aggregator.Lab.Cli;

/// <summary>`netlab list`: which labs there are.</summary>
internal static class ListCommand
{
    internal static Command Create()
    {
        var command = new Command("list", "List the labs of this machine: id, owner, whether it lives.");
        command.SetAction(_ =>
        {
            foreach (var record in LabRecord.All())
            {
                Console.WriteLine($"{record.Id}  process {record.Owner.Id}  {(record.Owner.IsAlive ? "alive" : "dead: netlab clean takes it away")}");
            }

            return 0;
        });
        return command;
    }
}
