using System.CommandLine;
using Aggregator.Lab.Control;

namespace Aggregator.Lab.Cli;

/// <summary>`netlab set`: changes a line of a living lab.</summary>
internal static class SetCommand
{
    internal static Command Create()
    {
        var id = new Argument<string>("ID") { Description = "The lab, or the beginning of its id." };
        var wan = new Argument<string>("WAN") { Description = "A WAN's name or interface." };
        var changes = new Argument<string[]>("CHANGE")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "down=50 up=5 (Mbit/s); delay=20 jitter=5 (ms), loss=1%, queue=500k, burst=7M@80 (bytes at Mbit/s before the rate holds), mtu=1400, blackhole=on|off, in both directions, or in one as down.delay=20; "
                + "strip=all|syn|synack|data-up|data-down|join|drop-join|drop-capable|none; carrier=off|on; gone; back.",
        };
        var command = new Command("set", "Change a line of a living lab. Changes are made one after the other.") { id, wan, changes };
        command.SetAction(result => NetlabCommand.GuardAsync(async () =>
        {
            var request = new ControlRequest(result.GetRequiredValue(wan), result.GetRequiredValue(changes));
            await ControlClient.AskAsync(result.GetRequiredValue(id), request);
        }));
        return command;
    }
}
