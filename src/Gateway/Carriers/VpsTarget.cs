using System.Collections.Immutable;
using Aggregator.Identity;

namespace Aggregator.Gateway.Carriers;

/// <summary>The VPS to dial.</summary>
/// <param name="Hosts">Names and addresses, best first.</param>
/// <param name="Pin">Its key; anybody else is hung up on.</param>
internal sealed record VpsTarget(ImmutableArray<string> Hosts, ushort Port, KeyPin Pin);
