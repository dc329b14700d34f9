using System.Buffers.Binary;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>The kernel's table of connections (ctnetlink), as far as entries of a mark are removed from it.</summary>
internal sealed class ConntrackSocket : IDisposable
{
    private readonly NetlinkSocket _socket;

    private ConntrackSocket(NetlinkSocket socket) => _socket = socket;

    /// <summary>For the network namespace of the calling thread. Null: this kernel has no ctnetlink.</summary>
    internal static ConntrackSocket? TryOpen()
    {
        try
        {
            return new ConntrackSocket(NetlinkSocket.Open(Libc.NETLINK_NETFILTER));
        }
        catch (LibcException)
        {
            return null;
        }
    }

    /// <summary>Removes every entry whose mark is <paramref name="mark"/> under <paramref name="mask"/>: its next packet is a new connection's, or none's.</summary>
    internal ValueTask<NetlinkResult> DeleteAsync(uint mark, uint mask, CancellationToken cancellationToken) => _socket.RequestAsync(
        (mark, mask),
        static (ref NetlinkWriter writer, (uint Mark, uint Mask) filter) =>
        {
            writer.Begin((Libc.NFNL_SUBSYS_CTNETLINK << 8) | Libc.IPCTNL_MSG_CT_DELETE, 0);
            writer.Write(default(Libc.nfgenmsg));
            writer.Attribute(Libc.CTA_MARK, BinaryPrimitives.ReverseEndianness(filter.Mark));
            writer.Attribute(Libc.CTA_MARK_MASK, BinaryPrimitives.ReverseEndianness(filter.Mask));
        },
        null,
        cancellationToken);

    public void Dispose() => _socket.Dispose();
}
