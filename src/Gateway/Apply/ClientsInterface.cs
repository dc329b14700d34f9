using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Aggregator.Gateway.Links;
using Aggregator.Netlink;
using Aggregator.Processes;
using Aggregator.WireGuard;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Makes the interface of the roaming clients: the kernel's WireGuard where it has one, wireguard-go otherwise. Its name says that it is ours and of
/// which namespace (wireguard-go's sockets are all in one directory), so what a crash left is found without a journal.
/// </summary>
internal static class ClientsInterface
{
    /// <summary>1500 less IPv6 (40), UDP (8) and WireGuard (32): what WireGuard takes everywhere.</summary>
    private const int Mtu = 1420;

    /// <summary>In the calling thread's network namespace.</summary>
    /// <param name="addresses">The gateway's, with the clients' networks' lengths.</param>
    /// <returns>The device, up and with its addresses; or why there is none.</returns>
    internal static async Task<(IWireGuardDevice? Device, string? Problem)> OpenAsync(
        string name, ImmutableArray<(IPAddress Address, int Bits)> addresses, TimeProvider time, CancellationToken cancellationToken)
    {
        await RemoveAsync(name, time, cancellationToken);
        IWireGuardDevice? device;
        try
        {
            device = await KernelWireGuard.TryStartAsync(name, cancellationToken);
        }
        catch (IOException e)
        {
            return (null, e.Message);
        }

        if (device is null)
        {
            (device, string? problem) = await UserSpaceWireGuard.StartAsync(name, time, cancellationToken);
            if (device is null)
            {
                return (null, problem);
            }
        }

        string commands = string.Concat(
            [
                string.Create(CultureInfo.InvariantCulture, $"link set dev {name} mtu {Mtu} addrgenmode none\n"),
                .. addresses.Select(a => string.Create(CultureInfo.InvariantCulture, $"addr add {a.Address}/{a.Bits} dev {name}{(a.Bits > 32 ? " nodad" : "")}\n")),
                $"link set dev {name} up\n",
            ]);
        var up = await Tool.RunAsync("ip", ["-batch", "-"], commands, cancellationToken);
        if (!up.Succeeded)
        {
            await device.DisposeAsync();
            return (null, $"the interface {name} cannot be set up: {up.Error.Trim().Split('\n')[0]}");
        }

        return (device, null);
    }

    /// <summary>Takes away what a daemon before us left, and waits until its program has ended.</summary>
    /// <returns>Whether there was an interface.</returns>
    internal static async Task<bool> RemoveAsync(string name, TimeProvider time, CancellationToken cancellationToken)
    {
        using var routes = RouteSocket.Open();
        bool was = (await routes.LinksAsync(cancellationToken)).Exists(l => l.Name == name);
        if (was)
        {
            (await Tool.RunAsync("ip", ["link", "del", "dev", name], cancellationToken: cancellationToken)).OutputOrThrow();
        }

        // One that was killed leaves its socket.
        await UserSpaceWireGuard.ForgetAsync(name, time, cancellationToken);
        return was;
    }

    /// <summary>This namespace's name for it.</summary>
    internal static string Name() => HostNumbers.ClientsDevicePrefix + Host.NetworkNamespace.Cookie().ToString("x", CultureInfo.InvariantCulture);
}
