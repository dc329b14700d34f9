using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// One netlink socket. It belongs to the network namespace of the thread that opens it, whoever uses it later.
/// Used either for requests (<see cref="RequestAsync"/>, <see cref="DumpAsync"/>, one at a time) or, after <see cref="Join"/>, for
/// events (<see cref="ReceiveAsync"/>, one reader), never for both.
/// </summary>
internal sealed partial class NetlinkSocket : IDisposable
{
    /// <summary>
    /// The kernel fills dump datagrams up to 32 KiB; a single notification (a link with many virtual functions) can be larger.
    /// One that exceeds even this is reported as lost.
    /// </summary>
    internal const int DatagramBytes = 64 * 1024;

    private readonly Socket _socket;
    private readonly byte[] _peek = new byte[1];

    private NetlinkSocket(Socket socket, uint port)
    {
        _socket = socket;
        Port = port;
    }

    /// <summary>The address of this socket, given by the kernel; answers carry it.</summary>
    internal uint Port { get; }

    /// <param name="protocol">NETLINK_ROUTE, NETLINK_NETFILTER or NETLINK_GENERIC.</param>
    /// <exception cref="LibcException">The kernel refused the socket.</exception>
    internal static unsafe NetlinkSocket Open(int protocol)
    {
        int descriptor = Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, protocol);
        if (descriptor < 0)
        {
            throw Libc.Error("socket(AF_NETLINK)");
        }

        var handle = new SafeSocketHandle(descriptor, ownsHandle: true);
        try
        {
            var address = new Libc.sockaddr_nl { nl_family = Libc.AF_NETLINK };
            uint length = (uint)sizeof(Libc.sockaddr_nl);
            if (Libc.bind_netlink(handle, &address, length) < 0 || Libc.getsockname_netlink(handle, &address, &length) < 0)
            {
                throw Libc.Error("bind(AF_NETLINK)");
            }

            // Error texts, short acknowledgements, and headers of dump requests taken at their word: Linux 4.12, 4.3 and 4.20.
            SetOption(handle, Libc.SOL_NETLINK, Libc.NETLINK_EXT_ACK, 1);
            SetOption(handle, Libc.SOL_NETLINK, Libc.NETLINK_CAP_ACK, 1);
            SetOption(handle, Libc.SOL_NETLINK, Libc.NETLINK_GET_STRICT_CHK, 1);
            return new NetlinkSocket(new Socket(handle), address.nl_pid);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Subscribes to a multicast group.</summary>
    /// <exception cref="LibcException">EPERM: the group asks for CAP_NET_ADMIN. ENOENT or EINVAL: there is no such group.</exception>
    internal void Join(uint group) => SetOption(_socket.SafeHandle, Libc.SOL_NETLINK, Libc.NETLINK_ADD_MEMBERSHIP, (int)group);

    /// <summary>How much may wait unread (<see cref="SocketBuffers"/>): what does not fit is lost.</summary>
    internal void SetReceiveBuffer(int bytes) => SocketBuffers.SetReceive(_socket.SafeHandle, bytes);

    /// <summary>
    /// The next datagram from the kernel. Datagrams of other senders are dropped.
    /// ENOBUFS: the kernel dropped events, or one did not fit <paramref name="buffer"/>; whoever follows events has to dump again.
    /// </summary>
    internal async ValueTask<NetlinkReceipt> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        while (true)
        {
            int received = TryReceive(buffer.Span, out uint sender);
            if (received >= 0)
            {
                if (sender != 0)
                {
                    continue;
                }

                return received <= buffer.Length ? new NetlinkReceipt(received, 0) : new NetlinkReceipt(0, Libc.ENOBUFS);
            }

            switch (-received)
            {
                case Libc.EINTR:
                    continue;
                case Libc.EAGAIN:
                    try
                    {
                        // Readiness only: a peek takes nothing from the queue, and the read above sees length and sender.
                        await _socket.ReceiveAsync(_peek, SocketFlags.Peek, cancel);
                    }
                    catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
                    {
                        return new NetlinkReceipt(0, Libc.ENOBUFS);
                    }

                    continue;
                default:
                    return new NetlinkReceipt(0, -received);
            }
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        _gate.Dispose();
    }

    /// <summary>The datagram's length, even if it is longer than the buffer (MSG_TRUNC), or minus an errno.</summary>
    private unsafe int TryReceive(Span<byte> buffer, out uint sender)
    {
        Libc.sockaddr_nl source = default;
        uint sourceLength = (uint)sizeof(Libc.sockaddr_nl);
        fixed (byte* target = buffer)
        {
            nint received = Libc.recvfrom_netlink(
                _socket.SafeHandle, target, (nuint)buffer.Length, Libc.MSG_DONTWAIT | Libc.MSG_TRUNC, &source, &sourceLength);
            sender = source.nl_pid;
            return received >= 0 ? (int)received : -Libc.Errno;
        }
    }

    private static unsafe void SetOption(SafeSocketHandle handle, int level, int name, int value)
    {
        if (Libc.setsockopt(handle, level, name, &value, sizeof(int)) < 0)
        {
            throw Libc.Error($"setsockopt({level}, {name})");
        }
    }
}

/// <summary>Bytes received, or an errno (ENOBUFS: events were lost).</summary>
internal readonly record struct NetlinkReceipt(int Bytes, int Errno);
