using System.CommandLine;
using System.Runtime.InteropServices;
using Aggregator.Lab.Control;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Cli;

/// <summary>`netlab up`: makes a lab and holds it until Ctrl-C.</summary>
internal static class UpCommand
{
    internal static Command Create()
    {
        var wans = new Option<string[]>("--wan")
        {
            Description = "An internet line; repeat it for more. Comma-separated: " + WanText.Help,
            HelpName = "name=NAME,down=100,up=20,delay=10,…",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => ["name=fibre,down=100,up=100,delay=10", "name=dsl,down=50,up=10,delay=30"],
        };
        var json = new Option<bool>("--json") { Description = "Print one line of JSON when the lab is ready." };
        var masquerade = new Option<bool>("--masquerade") { Description = "The gateway masquerades on its WANs, as an ordinary home router." };
        var noClient = new Option<bool>("--no-client") { Description = "No client and no LAN." };
        var command = new Command("up", "Make a lab, print its namespaces and addresses, keep it until Ctrl-C.") { wans, json, masquerade, noClient };
        command.SetAction(result => NetlabCommand.GuardAsync(() => RunAsync(
            new LabSpec
            {
                Wans = [.. result.GetRequiredValue(wans).Select((text, i) => WanText.Parse(text, i + 1))],
                ClientLan = !result.GetValue(noClient),
                GatewayMasquerade = result.GetValue(masquerade),
            },
            result.GetValue(json))));
        return command;
    }

    private static async Task RunAsync(LabSpec spec, bool json)
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            end.TrySetResult();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);

        await using var lab = await NetworkLab.CreateAsync(spec);
        await using var control = new ControlServer(lab);
        var description = LabDescription.Of(lab);
        Console.WriteLine(json ? description.ToJson() : Text(description));
        if (!lab.KeepsTimeUnderLoad)
        {
            await Console.Error.WriteLineAsync("netlab: no right to SCHED_FIFO (CAP_SYS_NICE): delays are only as exact as the machine's load lets them");
        }

        await end.Task;
    }

    private static string Text(LabDescription lab) =>
        $"""
        lab {lab.Id} is up; Ctrl-C takes it away

        {string.Join('\n', lab.Hosts.Select(h => $"  {h.Role,-7} ip netns exec {h.Namespace,-16} {h.Address,-14} {h.AddressV6}"))}

        {string.Join('\n', lab.Wans.Select(w => $"  {w.Interface,-7} {w.Name,-12} {w.Address} via {w.Router}   {w.AddressV6}"))}

        netlab set {lab.Id} {(lab.Wans.Count > 0 ? lab.Wans[0].Name : "WAN")} down=50 delay=20     change a line
        netlab show {lab.Id}                            counters
        """;
}
