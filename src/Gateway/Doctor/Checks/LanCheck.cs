using System.Net;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Doctor.Checks;

/// <summary>The LAN's interfaces, and that the host forwards what the gateway does not take.</summary>
internal sealed class LanCheck : ICheck
{
    public string Id => "lan";

    public string Title => "The LAN's interfaces";

    public Task<Finding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var findings = context.Config.Lan.Select(name => Decide(
            name,
            context.Host.Interface(name) is { } nic ? nic : null,
            [.. context.Host.Addresses.Where(a => a.InterfaceIndex == context.Host.Interface(name)?.Index && !a.Address.IsIPv6LinkLocal).Select(a => a.Address)]));
        return Task.FromResult(Finding.Join(findings, "`lan` names no interface: clients use the proxies only"));
    }

    internal static Finding Decide(string name, LinkInfo? nic, IReadOnlyList<IPAddress> addresses) => nic switch
    {
        null => Finding.Fail($"{name}: there is no such interface", "correct `lan` in the configuration; `ip link` shows those there are"),
        { IsUsable: false } => Finding.Fail($"{name} is down or has no cable", $"`ip link set {name} up`, and look at its cable"),
        _ when addresses.Count == 0 => Finding.Fail($"{name} has no address", $"give it one, such as `ip addr add 192.168.77.1/24 dev {name}`, in the host's network configuration"),
        _ => Finding.Ok($"{name}: {Texts.List(addresses.Select(a => a.ToString()))}"),
    };
}
