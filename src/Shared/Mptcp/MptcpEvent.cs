using System.Buffers.Binary;
using System.Net;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>enum mptcp_event_type, and <see cref="EventsLost"/> of our own.</summary>
internal enum MptcpEventKind : byte
{
    /// <summary>The kernel dropped events: what is known of connections may be stale.</summary>
    EventsLost = 0,
    Created = 1,
    Established = 2,
    Closed = 3,

    /// <summary>The peer announced an address.</summary>
    Announced = 6,

    /// <summary>The peer took an address back.</summary>
    Removed = 7,
    SubflowEstablished = 10,
    SubflowClosed = 11,
    SubflowPriority = 13,
    ListenerCreated = 15,
    ListenerClosed = 16,
}

/// <summary>An event of the path manager; what an event does not carry is null.</summary>
internal sealed record MptcpEvent(MptcpEventKind Kind)
{
    /// <summary>Of the connection; 0 for listeners.</summary>
    internal uint Token { get; init; }

    internal IPEndPoint? Local { get; init; }

    internal IPEndPoint? Remote { get; init; }

    internal byte? LocalId { get; init; }

    internal byte? RemoteId { get; init; }

    /// <summary>The peer asked for this subflow to be a backup; what this end asked for is not told.</summary>
    internal bool? IsBackup { get; init; }

    /// <summary>Why a subflow closed, as an errno.</summary>
    internal int? Errno { get; init; }

    internal int? InterfaceIndex { get; init; }

    /// <summary>MP_TCPRST's reason (RFC 8684 section 3.6).</summary>
    internal uint? ResetReason { get; init; }

    /// <summary>This end accepted the connection.</summary>
    internal bool IsServerSide { get; init; }

    /// <summary>Null with true: a kind that is not known here.</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out MptcpEvent? item)
    {
        item = null;
        if (!message.TryRead(out Libc.genlmsghdr header, out NetlinkAttributes attributes))
        {
            return false;
        }

        var kind = (MptcpEventKind)header.cmd;
        if (kind == MptcpEventKind.EventsLost || !Enum.IsDefined(kind))
        {
            return true;
        }

        var found = new MptcpEvent(kind);
        IPAddress? local = null;
        IPAddress? remote = null;
        ushort localPort = 0;
        ushort remotePort = 0;
        bool good = true;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            good &= attribute.Type switch
            {
                Libc.MPTCP_ATTR_SADDR4 or Libc.MPTCP_ATTR_SADDR6 => attribute.TryReadAddress(out local),
                Libc.MPTCP_ATTR_DADDR4 or Libc.MPTCP_ATTR_DADDR6 => attribute.TryReadAddress(out remote),
                Libc.MPTCP_ATTR_SPORT => TryReadPort(in attribute, out localPort),
                Libc.MPTCP_ATTR_DPORT => TryReadPort(in attribute, out remotePort),
                _ => TryApply(in attribute, ref found),
            };
        }

        if (!good || attributes.Malformed)
        {
            return false;
        }

        item = found with
        {
            Local = EndPointOf(local, localPort),
            Remote = EndPointOf(remote, remotePort),
        };
        return true;
    }

    /// <summary>A connection that came over IPv4 to an IPv6 listener is reported in mapped form; here it is IPv4.</summary>
    private static IPEndPoint? EndPointOf(IPAddress? address, ushort port)
        => address is null ? null : new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, port);

    private static bool TryApply(scoped in NetlinkAttribute attribute, ref MptcpEvent item)
    {
        bool good = true;
        byte small = 0;
        uint number = 0;
        switch (attribute.Type)
        {
            case Libc.MPTCP_ATTR_TOKEN:
                good = attribute.TryRead(out number);
                item = item with { Token = number };
                break;
            case Libc.MPTCP_ATTR_LOC_ID:
                good = attribute.TryRead(out small);
                item = item with { LocalId = small };
                break;
            case Libc.MPTCP_ATTR_REM_ID:
                good = attribute.TryRead(out small);
                item = item with { RemoteId = small };
                break;
            case Libc.MPTCP_ATTR_BACKUP:
                good = attribute.TryRead(out small);
                item = item with { IsBackup = small != 0 };
                break;
            case Libc.MPTCP_ATTR_ERROR:
                good = attribute.TryRead(out small);
                item = item with { Errno = small };
                break;
            case Libc.MPTCP_ATTR_IF_IDX:
                good = attribute.TryRead(out number);
                item = item with { InterfaceIndex = (int)number };
                break;
            case Libc.MPTCP_ATTR_RESET_REASON:
                good = attribute.TryRead(out number);
                item = item with { ResetReason = number };
                break;
            case Libc.MPTCP_ATTR_SERVER_SIDE:
                good = attribute.TryRead(out small);
                item = item with { IsServerSide = item.IsServerSide || small != 0 };
                break;
            case Libc.MPTCP_ATTR_FLAGS:
                good = attribute.TryRead(out ushort flags);
                item = item with { IsServerSide = item.IsServerSide || (flags & Libc.MPTCP_PM_EV_FLAG_SERVER_SIDE) != 0 };
                break;
        }

        return good;
    }

    /// <summary>Network order, unlike the path manager's own port attribute.</summary>
    private static bool TryReadPort(scoped in NetlinkAttribute attribute, out ushort port)
        => BinaryPrimitives.TryReadUInt16BigEndian(attribute.Value, out port);
}
