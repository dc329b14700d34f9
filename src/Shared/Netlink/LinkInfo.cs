using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>A network interface as the kernel reports it (RTM_NEWLINK).</summary>
internal sealed record LinkInfo
{
    internal required int Index { get; init; }

    internal required string Name { get; init; }

    internal LinkFlags Flags { get; init; }

    /// <summary>A signal on the wire (IFLA_CARRIER). An interface that is administratively down has none.</summary>
    internal bool Carrier { get; init; }

    internal OperationalState State { get; init; }

    /// <summary>Bytes of an IP packet.</summary>
    internal int Mtu { get; init; }

    internal PhysicalAddress Mac { get; init; } = PhysicalAddress.None;

    /// <summary>The driver's kind (veth, bridge, tun, ppp, …), null for hardware.</summary>
    internal string? Kind { get; init; }

    /// <summary>The bridge or bond that this interface is a port of, or 0.</summary>
    internal int MasterIndex { get; init; }

    /// <summary>Since the interface exists; they do not take part in equality, or every packet would make a change.</summary>
    internal LinkCounters Counters { get; init; }

    /// <summary>Administratively up and with carrier: it can carry packets.</summary>
    internal bool IsUsable => Flags.HasFlag(LinkFlags.Up) && Carrier;

    internal bool IsLoopback => Flags.HasFlag(LinkFlags.Loopback);

    public bool Equals(LinkInfo? other)
        => other is not null && Index == other.Index && Name == other.Name && Flags == other.Flags && Carrier == other.Carrier
            && State == other.State && Mtu == other.Mtu && Mac.Equals(other.Mac) && Kind == other.Kind && MasterIndex == other.MasterIndex;

    public override int GetHashCode() => HashCode.Combine(Index, Name, Flags, Carrier, State, Mtu);

    /// <summary>Null with true: not an interface of its own (a bridge's report about a port, family AF_BRIDGE).</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out LinkInfo? link)
    {
        link = null;
        if (!message.TryRead(out Libc.ifinfomsg header, out NetlinkAttributes attributes))
        {
            return false;
        }

        if (header.ifi_family != 0)
        {
            return true;
        }

        bool good = true;
        string? name = null;
        string? kind = null;
        uint mtu = 0;
        int master = 0;
        byte carrier = 0;
        byte state = 0;
        PhysicalAddress mac = PhysicalAddress.None;
        Libc.rtnl_link_stats64 counters = default;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.IFLA_IFNAME:
                    name = attribute.ReadString();
                    break;
                case Libc.IFLA_MTU:
                    good &= attribute.TryRead(out mtu);
                    break;
                case Libc.IFLA_MASTER:
                    good &= attribute.TryRead(out master);
                    break;
                case Libc.IFLA_CARRIER:
                    good &= attribute.TryRead(out carrier);
                    break;
                case Libc.IFLA_OPERSTATE:
                    good &= attribute.TryRead(out state);
                    break;
                case Libc.IFLA_ADDRESS:
                    mac = new PhysicalAddress(attribute.Value.ToArray());
                    break;
                case Libc.IFLA_STATS64:
                    good &= attribute.TryRead(out counters);
                    break;
                case Libc.IFLA_LINKINFO:
                    kind = ReadKind(attribute.Nested);
                    break;
            }
        }

        if (!good || attributes.Malformed || name is null)
        {
            return false;
        }

        link = new LinkInfo
        {
            Index = header.ifi_index,
            Name = name,
            Flags = (LinkFlags)header.ifi_flags,
            Carrier = carrier != 0,
            State = (OperationalState)state,
            Mtu = (int)mtu,
            Mac = mac,
            Kind = kind,
            MasterIndex = master,
            Counters = new LinkCounters(counters.rx_bytes, counters.tx_bytes, counters.rx_packets, counters.tx_packets),
        };
        return true;
    }

    private static string? ReadKind(NetlinkAttributes attributes)
    {
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.IFLA_INFO_KIND)
            {
                return attribute.ReadString();
            }
        }

        return null;
    }
}

/// <summary>Bytes and packets that an interface received and sent (IFLA_STATS64).</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct LinkCounters(ulong RxBytes, ulong TxBytes, ulong RxPackets, ulong TxPackets);

/// <summary>net_device flags, linux/if.h.</summary>
[Flags]
internal enum LinkFlags : uint
{
    None = 0,
    Up = 0x1,
    Broadcast = 0x2,
    Loopback = 0x8,
    PointToPoint = 0x10,
    Running = 0x40,
    NoArp = 0x80,
    Promiscuous = 0x100,
    Multicast = 0x1000,
    LowerUp = 0x10000,
    Dormant = 0x20000,
}

/// <summary>RFC 2863 operational state, linux/if.h (IF_OPER_*).</summary>
internal enum OperationalState : byte
{
    Unknown = 0,
    NotPresent = 1,
    Down = 2,
    LowerLayerDown = 3,
    Testing = 4,
    Dormant = 5,
    Up = 6,
}
