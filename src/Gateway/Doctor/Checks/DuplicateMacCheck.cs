using System.Net.NetworkInformation;
using Aggregator.Gateway.Configuration;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>Two of this gateway's interfaces with one MAC: switches and modems then send one's packets to the other.</summary>
internal sealed class DuplicateMacCheck : ICheck
{
    /// <summary>These have their lower interface's MAC by nature.</summary>
    private static readonly string[] Inheriting = ["vlan", "bridge", "bond", "team"];

    public string Id => "duplicate-mac";

    public string Title => "Every interface has a MAC address of its own";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken) =>
        Task.FromResult(Decide(Interesting(context), context.Host));

    private static LinkInfo[] Interesting(DoctorContext context)
    {
        GatewayConfig config = context.Config;
        return [.. context.Host.Interfaces.Where(i => config.Lan.Contains(i.Name) || context.Links.Links.Any(l => l.Interface == i.Name))];
    }

    internal static Finding Decide(IReadOnlyList<LinkInfo> interfaces, HostView host)
    {
        var twins = interfaces
            .Where(i => IsReal(i.Mac) && !Inheriting.Contains(i.Kind))
            .GroupBy(i => i.Mac)
            .Where(g => g.Count() > 1)
            .Select(g => Finding.Fail(
                $"{Texts.List(g.Select(i => i.Name))} have the same MAC address {Text(g.Key)}",
                $"give all but one another: `ip link set {g.Last().Name} address …`, and in the host's network configuration"))
            .ToArray();

        // A neighbour that answers with our own MAC is a cloned one on the modem's side.
        var clones = host.Neighbours
            .Where(n => IsReal(n.Mac))
            .Select(n => (Neighbour: n, Own: interfaces.FirstOrDefault(i => i.Index == n.InterfaceIndex && i.Mac.Equals(n.Mac))))
            .Where(n => n.Own is not null)
            .Select(n => Finding.Fail(
                $"{n.Neighbour.Address} on {n.Own!.Name} has the MAC address of {n.Own.Name} itself, {Text(n.Own.Mac)}",
                "one of the two devices has a cloned MAC address: take the clone back"));
        Finding[] all = [.. twins, .. clones];
        return all.Length > 0 ? Finding.Join(all, "") : Finding.Ok("no two are the same");
    }

    internal static string Text(PhysicalAddress mac) => string.Join(':', mac.GetAddressBytes().Select(b => b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));

    /// <summary>Ethernet's, and not all zeros as tunnels have.</summary>
    internal static bool IsReal(PhysicalAddress mac) => mac.GetAddressBytes() is { Length: 6 } bytes && bytes.Any(b => b != 0);
}
