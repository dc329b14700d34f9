using Aggregator.Gateway.Links;
using Aggregator.Netlink;
using Aggregator.Processes;
using Aggregator.Tun;

namespace Aggregator.Gateway.Apply;

/// <summary>Makes the interface into which the LAN's packets are led. It exists as long as its device is open, so a crash leaves nothing.</summary>
internal static class TunnelInterface
{
    /// <summary>In the calling thread's network namespace.</summary>
    internal static async Task<(TunDevice? Device, int Index, string? Problem)> OpenAsync(CancellationToken cancellationToken)
    {
        var (device, problem) = await TunSetup.OpenAsync(HostNumbers.TunnelDevice, cancellationToken);
        if (device is null)
        {
            return (null, 0, problem);
        }

        using var routes = RouteSocket.Open();
        var link = (await routes.LinksAsync(cancellationToken)).Find(l => l.Name == device.Name);
        if (link is null)
        {
            device.Dispose();
            return (null, 0, $"the interface {device.Name} is gone again");
        }

        // Without a route: only who binds to the interface uses them. A host without IPv6 has the other one alone.
        var given = await Tool.RunAsync("ip", ["addr", "add", $"{HostNumbers.TunnelV4}/32", "dev", device.Name, "noprefixroute"], cancellationToken: cancellationToken);
        await Tool.RunAsync("ip", ["addr", "add", $"{HostNumbers.TunnelV6}/128", "dev", device.Name, "noprefixroute", "nodad"], cancellationToken: cancellationToken);
        if (!given.Succeeded)
        {
            device.Dispose();
            return (null, 0, $"the interface {device.Name} takes no address: {given.Error.Trim().Split('\n')[0]}");
        }

        return (device, link.Index, null);
    }
}
