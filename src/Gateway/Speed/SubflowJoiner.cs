using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// Joins the other links to a test's MPTCP connection. With the kernel's own path manager (carrier `mptcp`) it does so itself, and what is asked for here
/// is refused; with the path manager for single connections (carrier `trunk`) nobody else does.
/// </summary>
internal sealed class SubflowJoiner : IDisposable
{
    private readonly MptcpPathManager? _manager;

    private SubflowJoiner(MptcpPathManager? manager) => _manager = manager;

    internal static async Task<SubflowJoiner> OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            return new SubflowJoiner(await MptcpPathManager.OpenAsync(cancellationToken));
        }
        catch (Interop.LibcException)
        {
            // No such netlink family, or no right: connections stay on one path, and what depends on joins says so.
            return new SubflowJoiner(null);
        }
    }

    /// <summary>Asks for the joins and does not wait for them. On a connection that is plain TCP nothing happens.</summary>
    /// <param name="all">Every path; an id is a path's place among them.</param>
    internal async Task JoinAsync(Socket socket, SpeedPath own, IReadOnlyList<SpeedPath> all, CancellationToken cancellationToken)
    {
        if (_manager is null || MptcpInfo.TryRead(socket, out MptcpInfo info) != 0 || info.FellBack || socket.RemoteEndPoint is not IPEndPoint remote)
        {
            return;
        }

        for (int i = 0; i < all.Count; i++)
        {
            if (all[i].Interface != own.Interface && all[i].Source.AddressFamily == remote.AddressFamily)
            {
                // EINVAL: the kernel's own path manager has this connection.
                await _manager.CreateSubflowAsync(
                    info.Token,
                    new MptcpEndpoint { Address = all[i].Source, Id = (byte)(i + 1), InterfaceIndex = all[i].Index, Flags = MptcpEndpointFlags.Subflow },
                    remote,
                    cancellationToken);
            }
        }
    }

    public void Dispose() => _manager?.Dispose();
}
