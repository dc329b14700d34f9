using System.Text;
using Aggregator.Interop;
using Aggregator.Packets;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Tun;

/// <summary>
/// A TUN interface that lives as long as this object, with checksum and segmentation offload: one whole packet or super-packet a
/// read or write, never waiting. The descriptor may be used from any namespace; the interface stays in the one it was made in.
/// Reading and writing are safe beside each other; each is one thread's at a time.
/// </summary>
internal sealed unsafe class TunDevice : IDisposable
{
    internal const string ClonePath = "/dev/net/tun";

    private readonly SafeFileHandle _handle;

    private TunDevice(string name, SafeFileHandle handle, bool hasUso)
    {
        Name = name;
        _handle = handle;
        HasUso = hasUso;
    }

    internal string Name { get; }

    /// <summary>The kernel takes and gives UDP super-packets (Linux 6.2).</summary>
    internal bool HasUso { get; }

    /// <summary>For poll.</summary>
    internal SafeFileHandle Handle => _handle;

    /// <summary>Makes the interface in the calling thread's network namespace; it is down and has the kernel's MTU.</summary>
    /// <exception cref="LibcException">ENOENT or ENODEV: no /dev/net/tun. EPERM: not allowed. EBUSY or EINVAL: the name is taken, by a device in use or of another kind.</exception>
    internal static TunDevice Create(string name)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(name.Length, Libc.IFNAMSIZ);
        var handle = new SafeFileHandle(Libc.open(ClonePath, Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw Libc.Error($"open {ClonePath}");
        }

        try
        {
            Libc.ifreq_flags request = default;
            request.ifr_flags = Libc.IFF_TUN | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR | Libc.IFF_TUN_EXCL;
            Encoding.ASCII.GetBytes(name, new Span<byte>(request.ifr_name, Libc.IFNAMSIZ - 1));
            if (Libc.ioctl(handle, Libc.TUNSETIFF, &request) < 0)
            {
                throw Libc.Error($"TUNSETIFF {name}");
            }

            const uint Must = Libc.TUN_F_CSUM | Libc.TUN_F_TSO4 | Libc.TUN_F_TSO6;
            bool uso = Libc.ioctl(handle, Libc.TUNSETOFFLOAD, (nuint)(Must | Libc.TUN_F_USO4 | Libc.TUN_F_USO6)) == 0;
            if (!uso && Libc.ioctl(handle, Libc.TUNSETOFFLOAD, (nuint)Must) < 0)
            {
                throw Libc.Error($"TUNSETOFFLOAD {name}");
            }

            return new TunDevice(name, handle, uso);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Reads what the kernel wants to send over the interface.</summary>
    /// <param name="buffer">Takes the header, then the packet: <see cref="PacketPool.LargeBytes"/> are always enough.</param>
    /// <returns>Bytes; 0: nothing is there; less: the errno, negative.</returns>
    internal int Read(Span<byte> buffer)
    {
        while (true)
        {
            nint count;
            fixed (byte* at = buffer)
            {
                count = Libc.read(_handle, at, (nuint)buffer.Length);
            }

            if (count >= 0)
            {
                return (int)count;
            }

            int errno = Libc.Errno;
            if (errno != Libc.EINTR)
            {
                return errno == Libc.EAGAIN ? 0 : -errno;
            }
        }
    }

    /// <summary>Gives the kernel a packet as if it had come in on the interface.</summary>
    /// <param name="meta">Fits the packet.</param>
    /// <returns>0, or the errno: EINVAL: the kernel takes it for malformed; EIO: the interface is down.</returns>
    internal int Write(ReadOnlySpan<byte> packet, in PacketInfo info, in PacketMeta meta)
    {
        Span<byte> header = stackalloc byte[VirtioNetHeader.Bytes];
        VirtioNetHeader.Write(header, info, meta);
        fixed (byte* head = header)
        fixed (byte* body = packet)
        {
            Libc.iovec* parts = stackalloc Libc.iovec[2];
            parts[0] = new Libc.iovec { iov_base = head, iov_len = VirtioNetHeader.Bytes };
            parts[1] = new Libc.iovec { iov_base = body, iov_len = (nuint)packet.Length };
            while (Libc.writev(_handle, parts, 2) < 0)
            {
                int errno = Libc.Errno;
                if (errno != Libc.EINTR)
                {
                    return errno;
                }
            }
        }

        return 0;
    }

    public void Dispose() => _handle.Dispose();
}
