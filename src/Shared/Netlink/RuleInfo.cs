using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>A policy routing rule: what a dump reports, and what is added or deleted. A deletion matches what is set here.</summary>
internal sealed record RuleInfo
{
    internal required AddressFamily Family { get; init; }

    /// <summary>Rules are asked in rising order.</summary>
    internal required uint Priority { get; init; }

    internal RuleAction Action { get; init; } = RuleAction.ToTable;

    internal uint Table { get; init; }

    /// <summary>Asked of packets with (mark &amp; <see cref="FirewallMask"/>) == this. 0 with mask 0 asks nothing.</summary>
    internal uint FirewallMark { get; init; }

    /// <summary>The kernel takes all bits if a mark comes without a mask.</summary>
    internal uint FirewallMask { get; init; }

    internal string? InputInterface { get; init; }

    internal string? OutputInterface { get; init; }

    internal IPNetwork? Source { get; init; }

    internal IPNetwork? Destination { get; init; }

    /// <summary>Who made it (FRA_PROTOCOL, <see cref="RouteProtocols"/>).</summary>
    internal byte Protocol { get; init; }

    /// <summary>IPPROTO_*, 0 for all.</summary>
    internal byte IpProtocol { get; init; }

    /// <summary>"not": the rule is asked of packets that do not match.</summary>
    internal bool Inverted { get; init; }

    /// <summary>Routes with a prefix of so few bits are passed over; 0 passes over defaults only. Null: none are.</summary>
    internal int? SuppressPrefixLength { get; init; }

    /// <summary>The priority to go on at, for <see cref="RuleAction.GoTo"/>.</summary>
    internal uint GoToPriority { get; init; }

    /// <summary>Null with true: a rule of multicast routing.</summary>
    internal static bool TryParse(scoped in NetlinkMessage message, out RuleInfo? rule)
    {
        rule = null;
        if (!message.TryRead(out Libc.fib_rule_hdr header, out NetlinkAttributes attributes))
        {
            return false;
        }

        if (header.family is not (Libc.AF_INET or Libc.AF_INET6))
        {
            return true;
        }

        bool good = true;
        IPAddress? source = null;
        IPAddress? destination = null;
        var found = new RuleInfo
        {
            Family = header.family == Libc.AF_INET ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6,
            Priority = 0,
            Action = (RuleAction)header.action,
            Table = header.table,
            Inverted = (header.flags & Libc.FIB_RULE_INVERT) != 0,
        };
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.FRA_SRC:
                    good &= attribute.TryReadAddress(out source);
                    break;
                case Libc.FRA_DST:
                    good &= attribute.TryReadAddress(out destination);
                    break;
                default:
                    good &= TryApply(in attribute, ref found);
                    break;
            }
        }

        if (!good || attributes.Malformed
            || !Prefixes.TryCreate(header.family, source, header.src_len, out IPNetwork sources)
            || !Prefixes.TryCreate(header.family, destination, header.dst_len, out IPNetwork destinations))
        {
            return false;
        }

        rule = found with
        {
            Source = source is null ? null : sources,
            Destination = destination is null ? null : destinations,
        };
        return true;
    }

    internal void Write(ref NetlinkWriter writer, ushort type, ushort flags)
    {
        writer.Begin(type, flags);
        writer.Write(new Libc.fib_rule_hdr
        {
            family = Prefixes.FamilyOf(Family),
            dst_len = (byte)(Destination?.PrefixLength ?? 0),
            src_len = (byte)(Source?.PrefixLength ?? 0),
            table = (byte)(Table <= byte.MaxValue ? Table : 0),
            action = (byte)Action,
            flags = Inverted ? Libc.FIB_RULE_INVERT : 0,
        });
        writer.Attribute(Libc.FRA_PRIORITY, Priority);
        WriteUnlessZero(ref writer, Libc.FRA_TABLE, Table);
        if (FirewallMask != 0 || FirewallMark != 0)
        {
            writer.Attribute(Libc.FRA_FWMARK, FirewallMark);
            writer.Attribute(Libc.FRA_FWMASK, FirewallMask != 0 ? FirewallMask : uint.MaxValue);
        }

        WriteUnlessNull(ref writer, Libc.FRA_IIFNAME, InputInterface);
        WriteUnlessNull(ref writer, Libc.FRA_OIFNAME, OutputInterface);
        WriteUnlessAny(ref writer, Libc.FRA_SRC, Source);
        WriteUnlessAny(ref writer, Libc.FRA_DST, Destination);
        if (Protocol != 0)
        {
            writer.Attribute(Libc.FRA_PROTOCOL, Protocol);
        }

        if (IpProtocol != 0)
        {
            writer.Attribute(Libc.FRA_IP_PROTO, IpProtocol);
        }

        if (SuppressPrefixLength is { } suppressed)
        {
            writer.Attribute(Libc.FRA_SUPPRESS_PREFIXLEN, suppressed);
        }

        WriteUnlessZero(ref writer, Libc.FRA_GOTO, GoToPriority);
    }

    private static bool TryApply(scoped in NetlinkAttribute attribute, ref RuleInfo rule)
    {
        bool good = true;
        uint number = 0;
        byte small = 0;
        switch (attribute.Type)
        {
            case Libc.FRA_PRIORITY:
                good = attribute.TryRead(out number);
                rule = rule with { Priority = number };
                break;
            case Libc.FRA_TABLE:
                good = attribute.TryRead(out number);
                rule = rule with { Table = number };
                break;
            case Libc.FRA_FWMARK:
                good = attribute.TryRead(out number);
                rule = rule with { FirewallMark = number };
                break;
            case Libc.FRA_FWMASK:
                good = attribute.TryRead(out number);
                rule = rule with { FirewallMask = number };
                break;
            case Libc.FRA_GOTO:
                good = attribute.TryRead(out number);
                rule = rule with { GoToPriority = number };
                break;
            case Libc.FRA_SUPPRESS_PREFIXLEN:
                good = attribute.TryRead(out int suppressed);

                // The kernel reports -1 where nothing is suppressed.
                rule = rule with { SuppressPrefixLength = suppressed < 0 ? null : suppressed };
                break;
            case Libc.FRA_IIFNAME:
                rule = rule with { InputInterface = attribute.ReadString() };
                break;
            case Libc.FRA_OIFNAME:
                rule = rule with { OutputInterface = attribute.ReadString() };
                break;
            case Libc.FRA_PROTOCOL:
                good = attribute.TryRead(out small);
                rule = rule with { Protocol = small };
                break;
            case Libc.FRA_IP_PROTO:
                good = attribute.TryRead(out small);
                rule = rule with { IpProtocol = small };
                break;
        }

        return good;
    }

    private static void WriteUnlessZero(ref NetlinkWriter writer, ushort type, uint number)
    {
        if (number != 0)
        {
            writer.Attribute(type, number);
        }
    }

    private static void WriteUnlessNull(ref NetlinkWriter writer, ushort type, string? text)
    {
        if (text is not null)
        {
            writer.Attribute(type, text);
        }
    }

    private static void WriteUnlessAny(ref NetlinkWriter writer, ushort type, IPNetwork? network)
    {
        if (network is { PrefixLength: > 0 } some)
        {
            writer.Attribute(type, some.BaseAddress);
        }
    }
}
