using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>MPTCP_PM_ADDR_FLAG_*. Kernels drop bits that they do not know without a word.</summary>
[Flags]
internal enum MptcpEndpointFlags : uint
{
    None = 0,

    /// <summary>Announced to the peer (ADD_ADDR).</summary>
    Signal = 1,

    /// <summary>Subflows are opened from it.</summary>
    Subflow = 2,

    /// <summary>Its subflows carry data only when no other is left.</summary>
    Backup = 4,

    /// <summary>Subflows to every address of the peer, not to the first alone. Not together with <see cref="Signal"/>.</summary>
    FullMesh = 8,

    /// <summary>Made by the kernel itself.</summary>
    Implicit = 16,

    /// <summary>For answering addresses that the peer announces (6.18).</summary>
    Laminar = 32,
}

/// <summary>An address that the path manager may use. As input an <see cref="Id"/> of 0 lets the kernel choose.</summary>
internal sealed record MptcpEndpoint
{
    internal required IPAddress Address { get; init; }

    internal byte Id { get; init; }

    internal MptcpEndpointFlags Flags { get; init; }

    /// <summary>The interface that its subflows are bound to, or 0.</summary>
    internal int InterfaceIndex { get; init; }

    /// <summary>Only for announced endpoints with a port of their own, else 0.</summary>
    internal ushort Port { get; init; }

    /// <summary>Writes MPTCP_PM_ATTR_ADDR, or the other end's attribute.</summary>
    internal void Write(ref NetlinkWriter writer, ushort attribute)
    {
        int nest = writer.BeginNested(attribute);
        WriteAddress(ref writer, Address, Port);
        if (Id != 0)
        {
            writer.Attribute(Libc.MPTCP_PM_ADDR_ATTR_ID, Id);
        }

        writer.Attribute(Libc.MPTCP_PM_ADDR_ATTR_FLAGS, (uint)Flags);
        if (InterfaceIndex != 0)
        {
            writer.Attribute(Libc.MPTCP_PM_ADDR_ATTR_IF_IDX, InterfaceIndex);
        }

        writer.EndNested(nest);
    }

    internal static void WriteRemote(ref NetlinkWriter writer, IPEndPoint remote)
    {
        int nest = writer.BeginNested(Libc.MPTCP_PM_ATTR_ADDR_REMOTE);
        WriteAddress(ref writer, remote.Address, (ushort)remote.Port);
        writer.EndNested(nest);
    }

    internal static bool TryParse(scoped in NetlinkMessage message, out MptcpEndpoint? endpoint)
    {
        endpoint = null;
        if (!message.TryRead(out Libc.genlmsghdr _, out NetlinkAttributes attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.MPTCP_PM_ATTR_ADDR)
            {
                return TryParse(attribute.Nested, out endpoint);
            }
        }

        return false;
    }

    private static bool TryParse(NetlinkAttributes attributes, out MptcpEndpoint? endpoint)
    {
        bool good = true;
        IPAddress? address = null;
        byte id = 0;
        uint flags = 0;
        int interfaceIndex = 0;
        ushort port = 0;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            good &= attribute.Type switch
            {
                Libc.MPTCP_PM_ADDR_ATTR_ADDR4 or Libc.MPTCP_PM_ADDR_ATTR_ADDR6 => attribute.TryReadAddress(out address),
                Libc.MPTCP_PM_ADDR_ATTR_ID => attribute.TryRead(out id),
                Libc.MPTCP_PM_ADDR_ATTR_FLAGS => attribute.TryRead(out flags),
                Libc.MPTCP_PM_ADDR_ATTR_IF_IDX => attribute.TryRead(out interfaceIndex),
                Libc.MPTCP_PM_ADDR_ATTR_PORT => attribute.TryRead(out port),
                _ => true,
            };
        }

        endpoint = good && !attributes.Malformed && address is not null
            ? new MptcpEndpoint
            {
                Address = address,
                Id = id,
                Flags = (MptcpEndpointFlags)flags,
                InterfaceIndex = interfaceIndex,
                Port = port,
            }
            : null;
        return endpoint is not null;
    }

    private static void WriteAddress(ref NetlinkWriter writer, IPAddress address, ushort port)
    {
        bool isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
        writer.Attribute(Libc.MPTCP_PM_ADDR_ATTR_FAMILY, (ushort)(isIPv4 ? Libc.AF_INET : Libc.AF_INET6));
        writer.Attribute(isIPv4 ? Libc.MPTCP_PM_ADDR_ATTR_ADDR4 : Libc.MPTCP_PM_ADDR_ATTR_ADDR6, address);
        if (port != 0)
        {
            // Host order, unlike the ports in events.
            writer.Attribute(Libc.MPTCP_PM_ADDR_ATTR_PORT, port);
        }
    }
}

/// <summary>Of a network namespace, for each connection: extra subflows, and addresses of the peer that are accepted.</summary>
internal readonly record struct MptcpLimits(uint Subflows, uint AcceptedAddresses);
