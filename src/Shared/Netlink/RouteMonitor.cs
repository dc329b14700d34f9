using System.Buffers;
using System.Runtime.CompilerServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>What a <see cref="RouteMonitor"/> listens to, both families of each.</summary>
[Flags]
internal enum RouteEvents
{
    None = 0,
    Links = 1,
    Addresses = 2,
    Routes = 4,
    Rules = 8,
    All = Links | Addresses | Routes | Rules,
}

/// <summary>
/// Changes of links, addresses, routes and rules in the network namespace whose thread called <see cref="Open"/>.
/// Open it first and dump afterwards: then no change falls in between.
/// </summary>
internal sealed class RouteMonitor : IDisposable
{
    /// <summary>
    /// Room for the events of a few thousand route changes in one burst; the kernel doubles the number for its own overhead.
    /// It is only used while events wait.
    /// </summary>
    private const int DefaultReceiveBufferBytes = 1024 * 1024;

    private readonly NetlinkSocket _socket;

    private RouteMonitor(NetlinkSocket socket) => _socket = socket;

    /// <exception cref="LibcException">The kernel refused the socket or a subscription.</exception>
    internal static RouteMonitor Open(RouteEvents events = RouteEvents.All, int receiveBufferBytes = DefaultReceiveBufferBytes)
    {
        NetlinkSocket socket = NetlinkSocket.Open(Libc.NETLINK_ROUTE);
        try
        {
            socket.SetReceiveBuffer(receiveBufferBytes);
            foreach (uint group in GroupsOf(events))
            {
                socket.Join(group);
            }

            return new RouteMonitor(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The events as they come, for one reader at a time, until <paramref name="cancel"/>.</summary>
    /// <exception cref="NetlinkException">The socket failed in another way than losing events.</exception>
    internal async IAsyncEnumerable<NetlinkEvent> ReadAllAsync([EnumeratorCancellation] CancellationToken cancel = default)
    {
        var events = new List<NetlinkEvent>();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(NetlinkSocket.DatagramBytes);
        try
        {
            while (true)
            {
                NetlinkReceipt receipt = await _socket.ReceiveAsync(buffer, cancel);
                if (receipt.Errno == Libc.ENOBUFS)
                {
                    yield return new NetlinkEvent.EventsLost();
                    continue;
                }

                new NetlinkResult(receipt.Errno).ThrowIfFailed("reading route events");
                Parse(buffer.AsSpan(0, receipt.Bytes), events);
                foreach (NetlinkEvent item in events)
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
    internal static void Parse(ReadOnlySpan<byte> datagram, List<NetlinkEvent> events)
    {
        var reader = new NetlinkReader(datagram);
        while (reader.TryNext(out NetlinkMessage message))
        {
            if (!TryParse(in message, out NetlinkEvent? item))
            {
                events.Add(new NetlinkEvent.EventsLost());
            }
            else if (item is not null)
            {
                events.Add(item);
            }
        }

        if (reader.Malformed)
        {
            events.Add(new NetlinkEvent.EventsLost());
        }
    }

    private static bool TryParse(scoped in NetlinkMessage message, out NetlinkEvent? item)
    {
        item = null;
        bool good = true;
        switch (message.Type)
        {
            case Libc.RTM_NEWLINK or Libc.RTM_DELLINK:
                good = LinkInfo.TryParse(in message, out LinkInfo? link);
                item = link is null ? null
                    : message.Type == Libc.RTM_NEWLINK ? new NetlinkEvent.LinkChanged(link) : new NetlinkEvent.LinkRemoved(link);
                break;
            case Libc.RTM_NEWADDR or Libc.RTM_DELADDR:
                good = AddressInfo.TryParse(in message, out AddressInfo? address);
                item = address is null ? null
                    : message.Type == Libc.RTM_NEWADDR ? new NetlinkEvent.AddressChanged(address) : new NetlinkEvent.AddressRemoved(address);
                break;
            case Libc.RTM_NEWROUTE or Libc.RTM_DELROUTE:
                good = RouteInfo.TryParse(in message, out RouteInfo? route);
                item = route is null ? null
                    : message.Type == Libc.RTM_NEWROUTE ? new NetlinkEvent.RouteChanged(route) : new NetlinkEvent.RouteRemoved(route);
                break;
            case Libc.RTM_NEWRULE or Libc.RTM_DELRULE:
                good = RuleInfo.TryParse(in message, out RuleInfo? rule);
                item = rule is null ? null
                    : message.Type == Libc.RTM_NEWRULE ? new NetlinkEvent.RuleAdded(rule) : new NetlinkEvent.RuleRemoved(rule);
                break;
        }

        return good;
    }

    private static IEnumerable<uint> GroupsOf(RouteEvents events)
    {
        if (events.HasFlag(RouteEvents.Links))
        {
            yield return Libc.RTNLGRP_LINK;
        }

        if (events.HasFlag(RouteEvents.Addresses))
        {
            yield return Libc.RTNLGRP_IPV4_IFADDR;
            yield return Libc.RTNLGRP_IPV6_IFADDR;
        }

        if (events.HasFlag(RouteEvents.Routes))
        {
            yield return Libc.RTNLGRP_IPV4_ROUTE;
            yield return Libc.RTNLGRP_IPV6_ROUTE;
        }

        if (events.HasFlag(RouteEvents.Rules))
        {
            yield return Libc.RTNLGRP_IPV4_RULE;
            yield return Libc.RTNLGRP_IPV6_RULE;
        }
    }
}
