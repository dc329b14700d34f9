using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>To and from RTM_NEWROUTE, RTM_DELROUTE.</summary>
internal sealed partial record RouteInfo
{
    /// <summary>Null with true: multicast routing, MPLS and cached clones, which are no part of a routing table.</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out RouteInfo? route)
    {
        route = null;
        if (!message.TryRead(out Libc.rtmsg header, out NetlinkAttributes attributes))
        {
            return false;
        }

        if (header.rtm_family is not (Libc.AF_INET or Libc.AF_INET6) || (header.rtm_flags & Libc.RTM_F_CLONED) != 0)
        {
            return true;
        }

        bool good = true;
        IPAddress? destination = null;
        IPAddress? gateway = null;
        IPAddress? source = null;
        uint table = header.rtm_table;
        uint priority = 0;
        uint nextHopId = 0;
        int interfaceIndex = 0;
        ImmutableArray<RouteNextHop> hops = [];
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.RTA_DST:
                    good &= attribute.TryReadAddress(out destination);
                    break;
                case Libc.RTA_GATEWAY:
                    good &= attribute.TryReadAddress(out gateway);
                    break;
                case Libc.RTA_VIA:
                    good &= TryReadVia(attribute.Value, out gateway);
                    break;
                case Libc.RTA_PREFSRC:
                    good &= attribute.TryReadAddress(out source);
                    break;
                case Libc.RTA_OIF:
                    good &= attribute.TryRead(out interfaceIndex);
                    break;
                case Libc.RTA_TABLE:
                    good &= attribute.TryRead(out table);
                    break;
                case Libc.RTA_PRIORITY:
                    good &= attribute.TryRead(out priority);
                    break;
                case Libc.RTA_NH_ID:
                    good &= attribute.TryRead(out nextHopId);
                    break;
                case Libc.RTA_MULTIPATH:
                    good &= TryReadHops(attribute.Value, out hops);
                    break;
            }
        }

        if (!good || attributes.Malformed || !Prefixes.TryCreate(header.rtm_family, destination, header.rtm_dst_len, out IPNetwork prefix))
        {
            return false;
        }

        route = new RouteInfo
        {
            Destination = prefix,
            Table = table,
            Type = (RouteType)header.rtm_type,
            Protocol = header.rtm_protocol,
            Scope = (RouteScope)header.rtm_scope,
            Priority = priority,
            Gateway = gateway,
            InterfaceIndex = interfaceIndex,
            PreferredSource = source,
            Flags = (NextHopFlags)(byte)header.rtm_flags,
            NextHops = hops,
            NextHopId = nextHopId,
        };
        return true;
    }

    /// <summary>For a deletion the scope is left open: prefix, table, type, hop, metric and maker say enough.</summary>
    internal void Write(ref NetlinkWriter writer, ushort type, ushort flags)
    {
        writer.Begin(type, flags);
        writer.Write(new Libc.rtmsg
        {
            rtm_family = Prefixes.FamilyOf(Destination),
            rtm_dst_len = (byte)Destination.PrefixLength,
            rtm_table = (byte)(Table <= byte.MaxValue ? Table : 0),
            rtm_protocol = Protocol,
            rtm_scope = (byte)(type == Libc.RTM_DELROUTE ? RouteScope.Nowhere : Scope),
            rtm_type = (byte)Type,
            rtm_flags = (uint)(Flags & NextHopFlags.Onlink),
        });
        writer.Attribute(Libc.RTA_TABLE, Table);
        if (Destination.PrefixLength > 0)
        {
            writer.Attribute(Libc.RTA_DST, Destination.BaseAddress);
        }

        if (Priority != 0)
        {
            writer.Attribute(Libc.RTA_PRIORITY, Priority);
        }

        if (PreferredSource is not null)
        {
            writer.Attribute(Libc.RTA_PREFSRC, PreferredSource);
        }

        if (NextHopId != 0)
        {
            // The kernel refuses hops of the route's own beside a nexthop object.
            writer.Attribute(Libc.RTA_NH_ID, NextHopId);
        }
        else if (NextHops.IsDefaultOrEmpty)
        {
            WriteHop(ref writer, Gateway);
            if (InterfaceIndex != 0)
            {
                writer.Attribute(Libc.RTA_OIF, InterfaceIndex);
            }
        }
        else
        {
            WriteHops(ref writer);
        }
    }

    private void WriteHop(ref NetlinkWriter writer, IPAddress? gateway)
    {
        if (gateway is null)
        {
            return;
        }

        if (gateway.AddressFamily == Family)
        {
            writer.Attribute(Libc.RTA_GATEWAY, gateway);
            return;
        }

        // struct rtvia: the family in two bytes, then the address.
        Span<byte> via = stackalloc byte[18];
        ushort family = (ushort)(gateway.AddressFamily == AddressFamily.InterNetworkV6 ? Libc.AF_INET6 : Libc.AF_INET);
        MemoryMarshal.Write(via, in family);
        gateway.TryWriteBytes(via[2..], out int written);
        writer.Attribute(Libc.RTA_VIA, via[..(2 + written)]);
    }

    private void WriteHops(ref NetlinkWriter writer)
    {
        int list = writer.BeginNested(Libc.RTA_MULTIPATH);
        foreach (RouteNextHop hop in NextHops)
        {
            int start = writer.Length;
            writer.Write(new Libc.rtnexthop
            {
                rtnh_flags = (byte)(hop.Flags & NextHopFlags.Onlink),
                rtnh_hops = (byte)(hop.Weight - 1),
                rtnh_ifindex = hop.InterfaceIndex,
            });
            WriteHop(ref writer, hop.Gateway);

            // rtnh_len stands where an attribute's length stands.
            writer.EndNested(start);
        }

        writer.EndNested(list);
    }

    private static bool TryReadVia(ReadOnlySpan<byte> value, out IPAddress? gateway)
    {
        gateway = value.Length is 6 or 18 ? new IPAddress(value[2..]) : null;
        return gateway is not null;
    }

    private static bool TryReadHops(ReadOnlySpan<byte> rest, out ImmutableArray<RouteNextHop> hops)
    {
        hops = [];
        ImmutableArray<RouteNextHop>.Builder found = ImmutableArray.CreateBuilder<RouteNextHop>();
        while (!rest.IsEmpty)
        {
            if (!MemoryMarshal.TryRead(rest, out Libc.rtnexthop header)
                || header.rtnh_len < Unsafe.SizeOf<Libc.rtnexthop>()
                || header.rtnh_len > rest.Length)
            {
                return false;
            }

            IPAddress? gateway = null;
            bool good = true;
            var attributes = new NetlinkAttributes(rest[Unsafe.SizeOf<Libc.rtnexthop>()..header.rtnh_len]);
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                good &= attribute.Type switch
                {
                    Libc.RTA_GATEWAY => attribute.TryReadAddress(out gateway),
                    Libc.RTA_VIA => TryReadVia(attribute.Value, out gateway),
                    _ => true,
                };
            }

            if (!good || attributes.Malformed)
            {
                return false;
            }

            found.Add(new RouteNextHop(gateway, header.rtnh_ifindex, header.rtnh_hops + 1, (NextHopFlags)header.rtnh_flags));
            rest = rest[Math.Min(rest.Length, NetlinkReader.Align(header.rtnh_len))..];
        }

        hops = found.ToImmutable();
        return true;
    }
}
