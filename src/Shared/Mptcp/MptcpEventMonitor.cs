using System.Buffers;
using System.Runtime.CompilerServices;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>
/// The path manager's events of the network namespace whose thread called <see cref="OpenAsync"/>: connections and subflows as they come
/// and go. Needs CAP_NET_ADMIN.
/// </summary>
internal sealed class MptcpEventMonitor : IDisposable
{
    private const string Group = "mptcp_pm_events";

    /// <summary>An event is some 150 bytes; this holds those of a few thousand connections opened at once.</summary>
    private const int DefaultReceiveBufferBytes = 1024 * 1024;

    private readonly NetlinkSocket _socket;
    private readonly ushort _family;

    private MptcpEventMonitor(NetlinkSocket socket, ushort family)
    {
        _socket = socket;
        _family = family;
    }

    /// <summary>Null: the kernel has no MPTCP path manager.</summary>
    /// <exception cref="LibcException">EPERM: no CAP_NET_ADMIN.</exception>
    internal static Task<MptcpEventMonitor?> OpenAsync(int receiveBufferBytes = DefaultReceiveBufferBytes, CancellationToken cancel = default)
    {
        // Both sockets before the first await: they have to be in the caller's namespace.
        return FinishAsync(NetlinkSocket.Open(Libc.NETLINK_GENERIC), NetlinkSocket.Open(Libc.NETLINK_GENERIC), receiveBufferBytes, cancel);

        static async Task<MptcpEventMonitor?> FinishAsync(NetlinkSocket events, NetlinkSocket requests, int receiveBufferBytes, CancellationToken cancel)
        {
            MptcpEventMonitor? monitor = null;
            try
            {
                GenericNetlinkFamily? family = await GenericNetlinkFamily.FindAsync(requests, MptcpPathManager.FamilyName, cancel);
                if (family is null || !family.Groups.TryGetValue(Group, out uint group))
                {
                    return null;
                }

                events.SetReceiveBuffer(receiveBufferBytes);
                events.Join(group);
                monitor = new MptcpEventMonitor(events, family.Id);
                return monitor;
            }
            finally
            {
                requests.Dispose();
                if (monitor is null)
                {
                    events.Dispose();
                }
            }
        }
    }

    /// <summary>The events as they come, for one reader at a time, until <paramref name="cancel"/>.</summary>
    /// <exception cref="NetlinkException">The socket failed in another way than losing events.</exception>
    internal async IAsyncEnumerable<MptcpEvent> ReadAllAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        var events = new List<MptcpEvent>();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(NetlinkSocket.DatagramBytes);
        try
        {
            while (true)
            {
                NetlinkReceipt receipt = await _socket.ReceiveAsync(buffer, cancel);
                if (receipt.Errno == Libc.ENOBUFS)
                {
                    yield return new MptcpEvent(MptcpEventKind.EventsLost);
                    continue;
                }

                new NetlinkResult(receipt.Errno).ThrowIfFailed("reading MPTCP events");
                Parse(buffer.AsSpan(0, receipt.Bytes), _family, events);
                foreach (MptcpEvent item in events)
                {
                    yield return item;
                }

                events.Clear();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>A message that makes no sense may have been any event: it counts as lost ones.</summary>
    internal static void Parse(ReadOnlySpan<byte> datagram, ushort family, List<MptcpEvent> events)
    {
        var reader = new NetlinkReader(datagram);
        while (reader.TryNext(out NetlinkMessage message))
        {
            if (message.Type != family)
            {
                continue;
            }

            if (!MptcpEvent.TryParse(in message, out MptcpEvent? item))
            {
                events.Add(new MptcpEvent(MptcpEventKind.EventsLost));
            }
            else if (item is not null)
            {
                events.Add(item);
            }
        }

        if (reader.Malformed)
        {
            events.Add(new MptcpEvent(MptcpEventKind.EventsLost));
        }
    }
}
