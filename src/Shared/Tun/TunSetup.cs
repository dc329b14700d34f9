using System.Globalization;
using Aggregator.Interop;
using Aggregator.Processes;

namespace Aggregator.Tun;

/// <summary>Makes a TUN interface ready for use; for the rooms that may change the host.</summary>
internal static class TunSetup
{
    /// <summary>Inside the tunnel; frames of the trunk have no such bound, so nothing is fragmented on the way.</summary>
    internal const int Mtu = 1500;

    /// <summary>Packets and super-packets that wait for us to read (the kernel's default).</summary>
    private const int QueuePackets = 500;

    /// <summary>In the calling thread's network namespace.</summary>
    /// <returns>The device, up; or why there is none, with the next step.</returns>
    internal static async Task<(TunDevice? Device, string? Problem)> OpenAsync(string name, CancellationToken cancellationToken)
    {
        TunDevice device;
        try
        {
            device = TunDevice.Create(name);
        }
        catch (LibcException e)
        {
            return (null, e.Errno switch
            {
                Libc.ENOENT or Libc.ENODEV => $"there is no {TunDevice.ClonePath}: load the module (`modprobe tun`), or let the container have the device",
                Libc.EPERM or Libc.EACCES => $"{TunDevice.ClonePath} may not be used: run this as root, or with CAP_NET_ADMIN",
                Libc.EBUSY or Libc.EEXIST or Libc.EINVAL => $"the interface {name} cannot be made: the name is in use; remove that interface",
                _ => $"the interface {name} cannot be made: {e.Message}",
            });
        }

        // Without a link-local address of its own: it would be another one with each start, and nobody asks for it.
        string mtu = Mtu.ToString(CultureInfo.InvariantCulture);
        string queue = QueuePackets.ToString(CultureInfo.InvariantCulture);
        string commands = $"link set dev {name} mtu {mtu} txqueuelen {queue} addrgenmode none\nlink set dev {name} up\n";
        var up = await Tool.RunAsync("ip", ["-batch", "-"], commands, cancellationToken);
        if (!up.Succeeded)
        {
            device.Dispose();
            return (null, $"the interface {name} cannot be set up: {up.Error.Trim().Split('\n')[0]}");
        }

        return (device, null);
    }
}
