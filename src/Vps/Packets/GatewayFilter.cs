using System.Net;
using Aggregator.Packets;
using Aggregator.Vps.Egress;

namespace Aggregator.Vps.Packets;

/// <summary>
/// A gateway sends from its own networks only, and to what may be dialled for a flow of TCP too. The rules' answer for an address is kept for
/// some seconds: they are asked for each packet. Each direction is one thread's at a time.
/// </summary>
internal sealed class GatewayFilter(EgressPolicySource rules, TimeProvider time) : IPacketFilter
{
    /// <summary>As long as the rules themselves keep what they know of this host's addresses.</summary>
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(5);

    /// <summary>Targets remembered; beyond that all are asked for anew.</summary>
    private const int MaxKnown = 8192;

    /// <summary>Refusals told: enough for every program that tries, nothing for who floods.</summary>
    private const double TellingsPerSecond = 100;
    private const double MaxTellings = 50;

    private double _tellings = MaxTellings;
    private long _toldAt = time.GetTimestamp();
    private readonly Dictionary<UInt128, bool> _known = [];
    private long _knownSince = time.GetTimestamp();
    private EgressPolicy? _policy;

    internal PrefixSet Own
    {
        get => Volatile.Read(ref field);
        set => Volatile.Write(ref field, value);
    } = PrefixSet.Empty;

    /// <summary>Packets whose source is not the gateway's own.</summary>
    internal long Spoofed { get; private set; }

    /// <summary>Packets to targets that the rules do not allow.</summary>
    internal long Refused { get; private set; }

    public bool AllowsOut(ReadOnlySpan<byte> packet, in PacketInfo info) => Own.Contains(PacketInfo.Destination(packet));

    public bool AllowsIn(ReadOnlySpan<byte> packet, in PacketInfo info)
    {
        if (!Own.Contains(PacketInfo.Source(packet)))
        {
            Spoofed++;
            return false;
        }

        if (!Allows(PacketInfo.Destination(packet)))
        {
            Refused++;
            return false;
        }

        return true;
    }

    /// <summary>A gateway's own clients are told, so many times a second (RFC 1812 section 4.3.2.8).</summary>
    public bool TellsRefusal(ReadOnlySpan<byte> packet)
    {
        if (!Own.Contains(PacketInfo.Source(packet)))
        {
            return false;
        }

        long now = time.GetTimestamp();
        _tellings = Math.Min(MaxTellings, _tellings + (time.GetElapsedTime(_toldAt, now).TotalSeconds * TellingsPerSecond));
        _toldAt = now;
        if (_tellings < 1)
        {
            return false;
        }

        _tellings--;
        return true;
    }

    private bool Allows(ReadOnlySpan<byte> address)
    {
        Span<byte> wide = stackalloc byte[16];
        wide.Clear();
        address.CopyTo(wide);

        // An IPv4 address is told from an IPv6 one that begins like it.
        wide[15] |= address.Length == 4 ? (byte)4 : (byte)0;
        var key = System.Runtime.InteropServices.MemoryMarshal.Read<UInt128>(wide);
        var policy = rules.Current;
        if (policy != _policy || _known.Count > MaxKnown || time.GetElapsedTime(_knownSince) > MaxAge)
        {
            _known.Clear();
            _policy = policy;
            _knownSince = time.GetTimestamp();
        }

        if (!_known.TryGetValue(key, out bool allowed))
        {
            allowed = policy.Allows(new IPAddress(address));
            _known.Add(key, allowed);
        }

        return allowed;
    }
}
