using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Faults;

/// <summary>Something that happens to a WAN, or to all of them, and its end.</summary>
/// <param name="Name">For people and command lines: words with dashes.</param>
/// <param name="Lasts">From its begin to its end.</param>
/// <param name="Expected">How the gateway should come to see the link: `Down`, `Degraded`, or nothing of the kind (null).</param>
internal sealed record LinkFault(string Name, TimeSpan Lasts, string? Expected, Func<NetworkLab, LabWan, Task> BeginAsync, Func<NetworkLab, LabWan, Task> EndAsync)
{
    /// <summary>Nothing is left meanwhile.</summary>
    internal bool TakesAll { get; init; }

    /// <summary>How long the line is still as it was after the end: what it had accepted before arrives late, and all else behind that.</summary>
    internal TimeSpan Lingers { get; init; }

    private static readonly TimeSpan Some = TimeSpan.FromSeconds(5);

    /// <summary>The states of a line that comes and goes this often are no outages by themselves.</summary>
    internal static readonly TimeSpan FlapPeriod = TimeSpan.FromMilliseconds(700);

    internal static IReadOnlyList<LinkFault> All { get; } =
    [
        new("carrier-lost", Some, "Down", (_, w) => w.CarrierAsync(false), (_, w) => w.CarrierAsync(true)),
        new("interface-gone", Some, "Down", (_, w) => w.RemoveAsync(), (_, w) => w.RestoreAsync()),
        new("address-change", Some, null, (l, w) => ReaddressAsync(l, w, 2, 3), (l, w) => ReaddressAsync(l, w, 3, 2)),
        new("black-hole", Some, "Down", (_, w) => Now(() => w.BlackHole = true), (_, w) => Now(() => w.BlackHole = false)),
        new("black-hole-up", Some, "Down", (_, w) => Now(() => w.Up.BlackHole = true), (_, w) => Now(() => w.Up.BlackHole = false)),
        new("black-hole-down", Some, "Down", (_, w) => Now(() => w.Down.BlackHole = true), (_, w) => Now(() => w.Down.BlackHole = false)),
        new("loss-30", TimeSpan.FromSeconds(12), "Degraded", (_, w) => Now(() => w.SetBoth(s => s with { LossRatio = 0.3 })), (_, w) => Now(() => w.SetBoth(s => s with { LossRatio = 0 }))),
        Slow(),
        new("gateway-dead", Some, "Down", (_, w) => w.Isp.ConfigureAsync($"link set dev {NetworkLab.IspWanInterface} down\n"), (_, w) => w.Isp.ConfigureAsync(LabPlan.IspWan(w.Number, w.Spec))),
        new("vps-unreachable", Some, "Down", (_, w) => w.Isp.ShellAsync(DropVps), (_, w) => w.Isp.ShellAsync("nft delete table inet fault")),
        Flapping(),
        new("all-gone", TimeSpan.FromSeconds(20), "Down", (l, _) => Now(() => SetAll(l, true)), (l, _) => Now(() => SetAll(l, false))) { TakesAll = true },
    ];

    private static string DropVps =>
        $"nft 'add table inet fault; add chain inet fault f {{ type filter hook forward priority 0; }}; add rule inet fault f ip daddr {LabAddresses.Vps} drop; add rule inet fault f ip saddr {LabAddresses.Vps} drop'";

    private static LinkFault Slow()
    {
        TimeSpan before = default, slow = TimeSpan.FromSeconds(2);
        return new LinkFault(
            "delay-2s",
            TimeSpan.FromSeconds(15),
            "Degraded",
            (_, w) => Now(() =>
            {
                before = w.Down.Settings.Delay;
                w.SetBoth(s => s with { Delay = slow });
            }),
            (_, w) => Now(() => w.SetBoth(s => s with { Delay = before })))
        {
            Lingers = slow,
        };
    }

    private static LinkFault Flapping()
    {
        CancellationTokenSource? stop = null;
        Task flapping = Task.CompletedTask;
        return new LinkFault(
            "flapping-700ms",
            TimeSpan.FromSeconds(12),
            "Down",
            (_, w) => Now(() =>
            {
                stop = new CancellationTokenSource();
                flapping = FlapAsync(w, stop.Token);
            }),
            async (_, w) =>
            {
                await stop!.CancelAsync();
                await flapping;
                stop.Dispose();
                w.BlackHole = false;
            });
    }

    private static async Task FlapAsync(LabWan wan, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                wan.BlackHole = !wan.BlackHole;
                await Task.Delay(FlapPeriod, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // Its time is over.
        }
    }

    private static void SetAll(NetworkLab lab, bool gone)
    {
        foreach (LabWan wan in lab.Wans)
        {
            wan.BlackHole = gone;
        }
    }

    /// <summary>As a DHCP client does when its lease ends and another address comes.</summary>
    private static Task ReaddressAsync(NetworkLab lab, LabWan wan, int from, int to)
    {
        string network = wan.Address!.ToString();
        network = network[..(network.LastIndexOf('.') + 1)];
        return lab.Gateway.ConfigureAsync(
            $"""
            address del {network}{from}/24 dev {wan.Interface}
            address add {network}{to}/24 dev {wan.Interface}
            route replace default via {wan.Router} dev {wan.Interface} metric {100 + wan.Number}

            """);
    }

    private static Task Now(Action change)
    {
        change();
        return Task.CompletedTask;
    }
}
