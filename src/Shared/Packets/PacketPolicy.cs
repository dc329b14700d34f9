using System.Collections.Immutable;

namespace Aggregator.Packets;

/// <summary>What the administrator says of a kind of packets.</summary>
/// <param name="Protocol">As in the IP header; null: any.</param>
/// <param name="Port">At either end; null: any.</param>
internal readonly record struct PacketRule(PacketClass Class, byte? Protocol, ushort? Port)
{
    internal bool Matches(in PacketInfo packet) =>
        (Protocol is null || Protocol == packet.Protocol) && (Port is null || Port == packet.SourcePort || Port == packet.DestinationPort);
}

/// <summary>Which packets are of which class whatever is observed: the administrator's rules, then the sender's marks.</summary>
internal sealed record PacketPolicy(ImmutableArray<PacketRule> Rules)
{
    internal static PacketPolicy Default { get; } = new([]);

    /// <summary>Null: by observation.</summary>
    internal PacketClass? Of(in PacketInfo packet)
    {
        foreach (var rule in Rules)
        {
            if (rule.Matches(packet))
            {
                return rule.Class;
            }
        }

        // RFC 4594: telephony (EF, and VOICE-ADMIT of RFC 5865), real-time interactive and signalling CS4 and CS5; RFC 8622: LE; CS1 was scavenger's before it.
        return packet.Dscp switch
        {
            46 or 44 or 40 or 32 => PacketClass.RealTime,
            1 or 8 => PacketClass.Bulk,
            _ => null,
        };
    }
}
