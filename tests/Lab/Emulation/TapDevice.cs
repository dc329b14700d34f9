using System.Text;
using Aggregator.Interop;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// A TAP interface that lives as long as this object: one whole Ethernet frame a read or write, never waiting.
/// The descriptor may be used from any namespace; the interface stays in the one it was made in.
/// </summary>
internal sealed unsafe class TapDevice : IDisposable
{
    private TapDevice(string name, SafeFileHandle handle)
    {
        Name = name;
        Handle = handle;
    }

    internal string Name { get; }

    internal SafeFileHandle Handle { get; }

    /// <summary>Makes the interface in the calling thread's network namespace.</summary>
    /// <exception cref="LibcException">EPERM: not root. EBUSY: the name is taken.</exception>
    internal static TapDevice Create(string name)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(name.Length, Libc.IFNAMSIZ);
        var handle = new SafeFileHandle(Libc.open("/dev/net/tun", Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw Libc.Error("open /dev/net/tun");
        }

        Libc.ifreq_flags request = default;
        request.ifr_flags = Libc.IFF_TAP | Libc.IFF_NO_PI;
        Encoding.ASCII.GetBytes(name, new Span<byte>(request.ifr_name, Libc.IFNAMSIZ - 1));
        if (Libc.ioctl(handle, Libc.TUNSETIFF, &request) < 0)
        {
            var error = Libc.Error($"TUNSETIFF {name}");
            handle.Dispose();
            throw error;
        }

        return new TapDevice(name, handle);
    }

    /// <summary>As if the cable were plugged in or out.</summary>
    internal void SetCarrier(bool present)
    {
        int value = present ? 1 : 0;
        if (Libc.ioctl(Handle, Libc.TUNSETCARRIER, &value) < 0)
        {
            throw Libc.Error($"TUNSETCARRIER {Name}");
        }
    }

    public void Dispose() => Handle.Dispose();
}
