using System.CommandLine;
using System.Text.Json;
using Aggregator.Lab.Control;

namespace Aggregator.Lab.Cli;

/// <summary>`netlab show`: lines and counters of a living lab.</summary>
internal static class ShowCommand
{
    internal static Command Create()
    {
        var id = new Argument<string>("ID") { Arity = ArgumentArity.ZeroOrOne, Description = "The lab; may be left out when there is one only." };
        var json = new Option<bool>("--json") { Description = "One line of JSON." };
        var command = new Command("show", "Show the lines of a living lab, as they are set and what they have carried.") { id, json };
        command.SetAction(result => NetlabCommand.GuardAsync(async () =>
        {
            var answer = await ControlClient.AskAsync(result.GetValue(id) ?? "", new ControlRequest(null, null));
            Console.WriteLine(result.GetValue(json) ? JsonSerializer.Serialize(answer, ControlJson.Default.ControlAnswer) : Text(answer));
        }));
        return command;
    }

    private static string Text(ControlAnswer answer)
    {
        var lines = new List<string> { $"lab {answer.Lab!.Id}" };
        foreach (var wan in answer.Wans!)
        {
            lines.Add($"{wan.Interface} {wan.Name}{(wan.Shaped ? $" strip={wan.Strip}" : " unshaped")}");
            Add(lines, "down", wan.Down);
            Add(lines, "up", wan.Up);
        }

        return string.Join('\n', lines);
    }

    private static void Add(List<string> lines, string name, DirectionState? direction)
    {
        if (direction is { Counters: var c } d)
        {
            lines.Add($"  {name,-4} {name}={d.RateMbps ?? 0} delay={d.DelayMs} jitter={d.JitterMs} loss={d.LossRatio} queue={d.QueueBytes}"
                + (d.BurstBytes > 0 ? $" burst={d.BurstBytes}{(d.BurstMbps is { } at ? $"@{at}" : "")}" : "")
                + $"{(d.Blackhole ? " blackhole=on" : "")}{(d.Outage ? " carrier=off" : "")}");
            lines.Add($"       in {c.PacketsIn} packets {c.BytesIn} bytes, delivered {c.PacketsDelivered} packets {c.BytesDelivered} bytes");
            lines.Add($"       dropped: queue {c.DroppedByQueue}, loss {c.DroppedByLoss}, outage {c.DroppedByOutage}, mtu {c.DroppedByMtu}, middlebox {c.DroppedByMiddlebox}; "
                + $"stripped {c.Stripped}; queued {c.QueueBytesNow} bytes, at most {c.QueueBytesPeak}");
        }
    }
}
