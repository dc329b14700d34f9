using System.Collections.Immutable;
using Aggregator.Identity;

namespace Aggregator.Gateway.Node;

/// <summary>The VPS that this gateway is paired with, as `pair` stored it.</summary>
/// <param name="Hosts">Names and addresses, best first, at least one; IPv6 without brackets.</param>
/// <param name="Pin">The VPS's key.</param>
/// <param name="GatewayName">What the VPS calls this gateway.</param>
internal sealed record PairedNode(ImmutableArray<string> Hosts, ushort Port, KeyPin Pin, string GatewayName)
{
    /// <summary>For people: the best host, with the port.</summary>
    internal string Address => $"{PairingUri.Bracketed(Hosts[0])}:{Port}";

    /// <summary>Null: not paired.</summary>
    /// <exception cref="Settings.StateException">It cannot be read or is damaged; the message says what to do.</exception>
    internal static PairedNode? TryLoad(string stateDirectory) => PairedNodeFile.TryLoad(stateDirectory);

    /// <summary>Replaces what was stored before.</summary>
    /// <exception cref="Settings.StateException">It cannot be written; what was there is unchanged.</exception>
    internal void Save(string stateDirectory) => PairedNodeFile.Save(stateDirectory, this);

    public bool Equals(PairedNode? other) =>
        other is not null && Hosts.SequenceEqual(other.Hosts) && Port == other.Port && Pin == other.Pin && GatewayName == other.GatewayName;

    public override int GetHashCode() => HashCode.Combine(Hosts[0], Port, Pin, GatewayName);
}
