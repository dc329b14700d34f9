using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>
/// The TCP sockets beneath MPTCP connections, of whatever process, in the network namespace whose thread called <see cref="Open"/>: listed and
/// ended at once (as `ss -K` does). Ending needs CAP_NET_ADMIN and CONFIG_INET_DIAG_DESTROY (EOPNOTSUPP without it).
/// </summary>
internal sealed class SubflowSockets : IDisposable
{
    /// <summary>All states of a connection; not Listen, TimeWait and Close, in which nothing can be ended.</summary>
    private const uint Connected =
        (1u << (int)TcpState.Established) | (1u << (int)TcpState.SynSent) | (1u << (int)TcpState.FinWait1) | (1u << (int)TcpState.FinWait2)
        | (1u << (int)TcpState.CloseWait) | (1u << (int)TcpState.LastAck) | (1u << (int)TcpState.Closing);

    private const string MptcpUlp = "mptcp";

    private readonly NetlinkSocket _socket;

    private SubflowSockets(NetlinkSocket socket) => _socket = socket;

    /// <exception cref="LibcException">EPROTONOSUPPORT: this kernel has no sock_diag.</exception>
    internal static SubflowSockets Open() => new(NetlinkSocket.Open(Libc.NETLINK_SOCK_DIAG));

    /// <summary>
    /// Subflows that start at an address. Without CAP_NET_ADMIN the kernel does not say which sockets are subflows: none are found then.
    /// Connections that go on as plain TCP are not among them.
    /// </summary>
    /// <exception cref="NetlinkException">The kernel refused (no inet_diag), or the answer made no sense.</exception>
    /// <param name="device">An interface's index: those that are bound to another one are left out. 0: all.</param>
    internal async ValueTask<List<SubflowSocket>> FromAsync(IPAddress local, int device = 0, CancellationToken cancel = default)
    {
        var all = await _socket.DumpAsync<AddressFamily, SubflowSocket>("dump of TCP sockets", local.AddressFamily, WriteDump, TryParse, cancel);
        return [.. all.Where(s => s.Local.Address.Equals(local) && (device == 0 || s.Id.idiag_if == 0 || s.Id.idiag_if == (uint)device))];
    }

    /// <summary>Resets it at both ends, as far as the peer can be reached. ENOENT: it has ended by itself.</summary>
    internal ValueTask<NetlinkResult> EndAsync(SubflowSocket socket, CancellationToken cancel = default) => _socket.RequestAsync(
        socket,
        static (ref NetlinkWriter writer, SubflowSocket socket) =>
        {
            writer.Begin(Libc.SOCK_DESTROY, 0);
            writer.Write(Request(socket.Local.AddressFamily) with { id = socket.Id });
        },
        cancel: cancel);

    public void Dispose() => _socket.Dispose();

    /// <summary>Null: not MPTCP's.</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out SubflowSocket? socket)
    {
        socket = null;
        if (!message.TryRead(out Libc.inet_diag_msg found, out NetlinkAttributes attributes))
        {
            return false;
        }

        bool subflow = false;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            subflow |= attribute.Type == Libc.INET_DIAG_ULP_INFO && IsSubflow(attribute.Nested);
        }

        int length = found.idiag_family == Libc.AF_INET ? 4 : 16;
        if (subflow)
        {
            ReadOnlySpan<byte> source = found.id.idiag_src, target = found.id.idiag_dst;
            socket = new SubflowSocket(
                new IPEndPoint(new IPAddress(source[..length]), BinaryPrimitives.ReverseEndianness(found.id.idiag_sport)),
                new IPEndPoint(new IPAddress(target[..length]), BinaryPrimitives.ReverseEndianness(found.id.idiag_dport)),
                (TcpState)found.idiag_state,
                found.id);
        }

        return !attributes.Malformed;
    }

    private static bool IsSubflow(NetlinkAttributes ulp)
    {
        bool named = false, agreed = false;
        while (ulp.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.INET_ULP_INFO_NAME)
            {
                named = attribute.ReadString() == MptcpUlp;
            }
            else if (attribute.Type == Libc.INET_ULP_INFO_MPTCP)
            {
                NetlinkAttributes details = attribute.Nested;
                while (details.TryNext(out NetlinkAttribute detail))
                {
                    agreed |= detail.Type == Libc.MPTCP_SUBFLOW_ATTR_FLAGS && detail.TryRead(out uint flags)
                        && (flags & (Libc.MPTCP_SUBFLOW_FLAG_MCAP_REM | Libc.MPTCP_SUBFLOW_FLAG_JOIN_REM)) != 0;
                }
            }
        }

        return named && agreed;
    }

    private static void WriteDump(ref NetlinkWriter writer, AddressFamily family)
    {
        writer.Begin(Libc.SOCK_DIAG_BY_FAMILY, 0);
        // What a socket belongs to comes with tcp_info only (6.18).
        writer.Write(Request(family) with { idiag_states = Connected, idiag_ext = 1 << (Libc.INET_DIAG_INFO - 1) });
    }

    private static Libc.inet_diag_req_v2 Request(AddressFamily family) => new()
    {
        sdiag_family = Prefixes.FamilyOf(family),
        sdiag_protocol = (byte)ProtocolType.Tcp,
    };
}

/// <param name="Id">The kernel's name for it.</param>
internal sealed record SubflowSocket(IPEndPoint Local, IPEndPoint Remote, TcpState State, Libc.inet_diag_sockid Id);
