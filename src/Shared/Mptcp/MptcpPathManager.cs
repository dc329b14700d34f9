using System.Net;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>
/// The kernel's path manager (generic netlink "mptcp_pm", linux/mptcp_pm.h) of the network namespace whose thread called
/// <see cref="OpenAsync"/>. Reading is free, changing needs CAP_NET_ADMIN; changes answer with errno.
/// </summary>
internal sealed partial class MptcpPathManager : IDisposable
{
    internal const string FamilyName = "mptcp_pm";

    internal const byte Version = 1;

    private readonly NetlinkSocket _socket;
    private readonly GenericNetlinkFamily _family;

    private MptcpPathManager(NetlinkSocket socket, GenericNetlinkFamily family)
    {
        _socket = socket;
        _family = family;
    }

    /// <summary>Null: the kernel has no MPTCP path manager.</summary>
    /// <exception cref="LibcException">The kernel refused the socket.</exception>
    internal static Task<MptcpPathManager?> OpenAsync(CancellationToken cancel = default)
    {
        // The socket is made before the first await: it has to be in the caller's namespace.
        return FinishAsync(NetlinkSocket.Open(Libc.NETLINK_GENERIC), cancel);

        static async Task<MptcpPathManager?> FinishAsync(NetlinkSocket socket, CancellationToken cancel)
        {
            MptcpPathManager? manager = null;
            try
            {
                GenericNetlinkFamily? family = await GenericNetlinkFamily.FindAsync(socket, FamilyName, cancel);
                manager = family is null ? null : new MptcpPathManager(socket, family);
                return manager;
            }
            finally
            {
                if (manager is null)
                {
                    socket.Dispose();
                }
            }
        }
    }

    internal ValueTask<List<MptcpEndpoint>> EndpointsAsync(CancellationToken cancel = default)
        => _socket.DumpAsync<MptcpPathManager, MptcpEndpoint>(
            "dump of MPTCP endpoints",
            this,
            static (ref NetlinkWriter writer, MptcpPathManager self) => self.Begin(ref writer, Libc.MPTCP_PM_CMD_GET_ADDR),
            MptcpEndpoint.TryParse,
            cancel);

    /// <summary>
    /// Adds an endpoint and answers with what the kernel made of it. EEXIST: its address or id is there. ERANGE: there is no room.
    /// EINVAL: flags that exclude each other. EOPNOTSUPP: the kernel dropped a flag that it does not know; nothing is left behind.
    /// </summary>
    internal async Task<(NetlinkResult Result, MptcpEndpoint? Endpoint)> AddEndpointAsync(MptcpEndpoint endpoint, CancellationToken cancel = default)
    {
        NetlinkResult result = await RequestAsync(Libc.MPTCP_PM_CMD_ADD_ADDR, endpoint, cancel);
        if (!result.IsSuccess)
        {
            return (result, null);
        }

        MptcpEndpoint? made = await FindAsync(endpoint, cancel);
        if (made is null)
        {
            return (new NetlinkResult(Libc.ENOENT, "the endpoint was taken away while it was made"), null);
        }

        if (made.Flags == endpoint.Flags)
        {
            return (result, made);
        }

        await RemoveEndpointAsync(made, cancel);
        return (new NetlinkResult(Libc.EOPNOTSUPP, $"the kernel made {made.Flags} of {endpoint.Flags}"), null);
    }

    /// <summary>Closes its subflows too. ENOENT: there is no endpoint with this id (a kernel's EINVAL for that is told apart).</summary>
    internal async Task<NetlinkResult> RemoveEndpointAsync(MptcpEndpoint endpoint, CancellationToken cancel = default)
    {
        NetlinkResult result = await RequestAsync(Libc.MPTCP_PM_CMD_DEL_ADDR, endpoint with { Flags = MptcpEndpointFlags.None }, cancel);
        return result.Errno == Libc.EINVAL && await FindAsync(endpoint, cancel) is null
            ? result with { Errno = Libc.ENOENT }
            : result;
    }

    internal ValueTask<NetlinkResult> FlushEndpointsAsync(CancellationToken cancel = default)
        => _socket.RequestAsync(
            this,
            static (ref NetlinkWriter writer, MptcpPathManager self) => self.Begin(ref writer, Libc.MPTCP_PM_CMD_FLUSH_ADDRS),
            cancel: cancel);

    /// <summary>
    /// Sets <see cref="MptcpEndpointFlags.Backup"/> and <see cref="MptcpEndpointFlags.FullMesh"/> as <paramref name="endpoint"/> has them,
    /// for what is open too (MP_PRIO). Other flags cannot change: EOPNOTSUPP if they differ from what the kernel has.
    /// </summary>
    internal async Task<NetlinkResult> SetFlagsAsync(MptcpEndpoint endpoint, CancellationToken cancel = default)
    {
        NetlinkResult result = await RequestAsync(Libc.MPTCP_PM_CMD_SET_FLAGS, endpoint, cancel);
        MptcpEndpoint? now = await FindAsync(endpoint, cancel);
        if (now is null)
        {
            return result.IsSuccess || result.Errno == Libc.EINVAL ? result with { Errno = Libc.ENOENT } : result;
        }

        return result.IsSuccess && now.Flags != endpoint.Flags
            ? new NetlinkResult(Libc.EOPNOTSUPP, $"the kernel made {now.Flags} of {endpoint.Flags}")
            : result;
    }

    internal async Task<MptcpLimits> LimitsAsync(CancellationToken cancel = default)
    {
        var box = new LimitsReply(this);
        NetlinkResult result = await _socket.RequestAsync(
            box,
            static (ref NetlinkWriter writer, LimitsReply box) => box.Manager.Begin(ref writer, Libc.MPTCP_PM_CMD_GET_LIMITS),
            static (scoped in message, box) => box.TryTake(in message),
            cancel);
        result.ThrowIfFailed("MPTCP limits");
        return box.Limits;
    }

    /// <summary>EINVAL: more than the kernel's maximum (<see cref="MptcpFeatures.MaxSubflows"/>).</summary>
    internal ValueTask<NetlinkResult> SetLimitsAsync(MptcpLimits limits, CancellationToken cancel = default)
        => _socket.RequestAsync(
            (Manager: this, Limits: limits),
            static (ref NetlinkWriter writer, (MptcpPathManager Manager, MptcpLimits Limits) state) =>
            {
                state.Manager.Begin(ref writer, Libc.MPTCP_PM_CMD_SET_LIMITS);
                writer.Attribute(Libc.MPTCP_PM_ATTR_RCV_ADD_ADDRS, state.Limits.AcceptedAddresses);
                writer.Attribute(Libc.MPTCP_PM_ATTR_SUBFLOWS, state.Limits.Subflows);
            },
            cancel: cancel);

    public void Dispose() => _socket.Dispose();

    private void Begin(ref NetlinkWriter writer, byte command) => GenericNetlinkFamily.Begin(ref writer, _family.Id, command, Version);

    private ValueTask<NetlinkResult> RequestAsync(byte command, MptcpEndpoint endpoint, CancellationToken cancel)
        => _socket.RequestAsync(
            (Manager: this, Command: command, Endpoint: endpoint),
            static (ref NetlinkWriter writer, (MptcpPathManager Manager, byte Command, MptcpEndpoint Endpoint) state) =>
            {
                state.Manager.Begin(ref writer, state.Command);
                state.Endpoint.Write(ref writer, Libc.MPTCP_PM_ATTR_ADDR);
            },
            cancel: cancel);

    private async ValueTask<MptcpEndpoint?> FindAsync(MptcpEndpoint wanted, CancellationToken cancel)
        => (await EndpointsAsync(cancel)).Find(e => wanted.Id != 0
            ? e.Id == wanted.Id
            : e.Address.Equals(wanted.Address) && e.Port == wanted.Port);

    private sealed class LimitsReply(MptcpPathManager manager)
    {
        internal MptcpPathManager Manager { get; } = manager;

        internal MptcpLimits Limits { get; private set; }

        internal bool TryTake(scoped in NetlinkMessage message)
        {
            if (!message.TryRead(out Libc.genlmsghdr _, out NetlinkAttributes attributes))
            {
                return false;
            }

            uint subflows = 0;
            uint accepted = 0;
            bool good = true;
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                good &= attribute.Type switch
                {
                    Libc.MPTCP_PM_ATTR_SUBFLOWS => attribute.TryRead(out subflows),
                    Libc.MPTCP_PM_ATTR_RCV_ADD_ADDRS => attribute.TryRead(out accepted),
                    _ => true,
                };
            }

            Limits = new MptcpLimits(subflows, accepted);
            return good && !attributes.Malformed;
        }
    }
}
