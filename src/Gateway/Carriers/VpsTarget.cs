using System.Collections.Immutable;
using Aggregator.Identity;

namespace Aggregator.Gateway.Carriers;

/// <summary>The VPS to dial.</summary>
/// <param name="Hosts">Names and addresses, best first.</param>
/// <param name="Pin">Its key; anybody else is hung up on.</param>
internal sealed record VpsTarget(ImmutableArray<string> Hosts, ushort Port, KeyPin Pin)
{
    /// <summary>By value: the pairing is read anew for each control session, and the same VPS must not look like another one then.</summary>
    public bool Equals(VpsTarget? other) => other is not null && Hosts.SequenceEqual(other.Hosts) && Port == other.Port && Pin == other.Pin;

    public override int GetHashCode() => HashCode.Combine(Hosts.Length, Port, Pin);
}
