using System.Net;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>An address of an interface (RTM_NEWADDR).</summary>
internal sealed record AddressInfo
{
    internal required int InterfaceIndex { get; init; }

    /// <summary>The local address. An IPv6 link-local one carries the interface as its scope id, ready for a bind.</summary>
    internal required IPAddress Address { get; init; }

    internal required int PrefixLength { get; init; }

    internal AddressFlags Flags { get; init; }

    internal RouteScope Scope { get; init; }

    /// <summary>The other end of a point-to-point interface, else null.</summary>
    internal IPAddress? Peer { get; init; }

    /// <summary>Duplicate detection has not ended, or found a duplicate: the address cannot be used.</summary>
    internal bool IsTentative => (Flags & (AddressFlags.Tentative | AddressFlags.DuplicateFound)) != 0;

    /// <summary>Its preferred lifetime is over: valid for what exists, not for new connections.</summary>
    internal bool IsDeprecated => Flags.HasFlag(AddressFlags.Deprecated);

    /// <summary>An IPv6 privacy address (RFC 8981). IPv4 has this bit for secondary addresses.</summary>
    internal bool IsTemporary => Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 && Flags.HasFlag(AddressFlags.Secondary);

    internal static bool TryParse(scoped in NetlinkMessage message, out AddressInfo? info)
    {
        info = null;
        if (!message.TryRead(out Libc.ifaddrmsg header, out NetlinkAttributes attributes))
        {
            return false;
        }

        if (header.ifa_family is not (Libc.AF_INET or Libc.AF_INET6))
        {
            return true;
        }

        bool good = true;
        IPAddress? address = null;
        IPAddress? local = null;
        uint flags = header.ifa_flags;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.IFA_ADDRESS:
                    good &= attribute.TryReadAddress(out address);
                    break;
                case Libc.IFA_LOCAL:
                    good &= attribute.TryReadAddress(out local);
                    break;
                case Libc.IFA_FLAGS:
                    good &= attribute.TryRead(out flags);
                    break;
            }
        }

        if (!good || attributes.Malformed || (local ?? address) is not { } own)
        {
            return false;
        }

        if (own.IsIPv6LinkLocal)
        {
            own.ScopeId = header.ifa_index;
        }

        info = new AddressInfo
        {
            InterfaceIndex = (int)header.ifa_index,
            Address = own,
            PrefixLength = header.ifa_prefixlen,
            Flags = (AddressFlags)flags,
            Scope = (RouteScope)header.ifa_scope,
            Peer = local is not null && address is not null && !local.Equals(address) ? address : null,
        };
        return true;
    }
}

/// <summary>IFA_F_*, linux/if_addr.h.</summary>
[Flags]
internal enum AddressFlags : uint
{
    None = 0,

    /// <summary>IPv4: a further address of the same prefix. IPv6: a temporary address.</summary>
    Secondary = 0x01,
    NoDuplicateDetection = 0x02,
    Optimistic = 0x04,
    DuplicateFound = 0x08,
    Deprecated = 0x20,
    Tentative = 0x40,
    Permanent = 0x80,
    ManageTemporary = 0x100,
    NoPrefixRoute = 0x200,
    StablePrivacy = 0x800,
}
