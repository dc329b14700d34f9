using System.Net;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>
/// Commands about one connection, named by its token (<see cref="MptcpInfo.Token"/>). They work on connections that were made while
/// net.mptcp.pm_type was 1 (path_manager "userspace"): the kernel opens no subflow for those by itself.
/// </summary>
internal sealed partial class MptcpPathManager
{
    /// <summary>
    /// Opens a subflow. <paramref name="local"/>: address, a nonzero id of the caller's, interface, flags Subflow and maybe Backup.
    /// Success says that the join was sent, not that it was answered: see the events or the subflow's state.
    /// ESRCH: no such connection. EINVAL: it has the kernel's own path manager.
    /// </summary>
    internal ValueTask<NetlinkResult> CreateSubflowAsync(uint token, MptcpEndpoint local, IPEndPoint remote, CancellationToken cancel = default)
        => RequestAsync(new ConnectionRequest(this, Libc.MPTCP_PM_CMD_SUBFLOW_CREATE, token, local, remote), cancel);

    /// <summary>Closes the subflow between two addresses, both with their ports. ESRCH: there is none.</summary>
    internal ValueTask<NetlinkResult> DestroySubflowAsync(uint token, IPEndPoint local, IPEndPoint remote, CancellationToken cancel = default)
        => RequestAsync(
            new ConnectionRequest(
                this,
                Libc.MPTCP_PM_CMD_SUBFLOW_DESTROY,
                token,
                new MptcpEndpoint { Address = local.Address, Port = (ushort)local.Port },
                remote),
            cancel);

    /// <summary>Tells the peer of an address (ADD_ADDR); it needs an id and <see cref="MptcpEndpointFlags.Signal"/>.</summary>
    internal ValueTask<NetlinkResult> AnnounceAsync(uint token, MptcpEndpoint address, CancellationToken cancel = default)
        => RequestAsync(new ConnectionRequest(this, Libc.MPTCP_PM_CMD_ANNOUNCE, token, address, null), cancel);

    /// <summary>Takes an announced address back (REMOVE_ADDR) and closes its subflows.</summary>
    internal ValueTask<NetlinkResult> RemoveAsync(uint token, byte localId, CancellationToken cancel = default)
        => _socket.RequestAsync(
            (Manager: this, Token: token, Id: localId),
            static (ref NetlinkWriter writer, (MptcpPathManager Manager, uint Token, byte Id) state) =>
            {
                state.Manager.Begin(ref writer, Libc.MPTCP_PM_CMD_REMOVE);
                writer.Attribute(Libc.MPTCP_PM_ATTR_TOKEN, state.Token);
                writer.Attribute(Libc.MPTCP_PM_ATTR_LOC_ID, state.Id);
            },
            cancel: cancel);

    /// <summary>Makes a subflow of one connection backup or not (MP_PRIO), by its two addresses with ports.</summary>
    internal ValueTask<NetlinkResult> SetSubflowFlagsAsync(uint token, MptcpEndpoint local, IPEndPoint remote, CancellationToken cancel = default)
        => RequestAsync(new ConnectionRequest(this, Libc.MPTCP_PM_CMD_SET_FLAGS, token, local, remote), cancel);

    private ValueTask<NetlinkResult> RequestAsync(ConnectionRequest request, CancellationToken cancel)
        => _socket.RequestAsync(
            request,
            static (ref NetlinkWriter writer, ConnectionRequest request) =>
            {
                request.Manager.Begin(ref writer, request.Command);
                writer.Attribute(Libc.MPTCP_PM_ATTR_TOKEN, request.Token);
                request.Local.Write(ref writer, Libc.MPTCP_PM_ATTR_ADDR);
                if (request.Remote is not null)
                {
                    MptcpEndpoint.WriteRemote(ref writer, request.Remote);
                }
            },
            cancel: cancel);

    private sealed record ConnectionRequest(MptcpPathManager Manager, byte Command, uint Token, MptcpEndpoint Local, IPEndPoint? Remote);
}
