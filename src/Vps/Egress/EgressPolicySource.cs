using Aggregator.Vps.Configuration;

namespace Aggregator.Vps.Egress;

/// <summary>The rules of the configuration in force.</summary>
internal sealed class EgressPolicySource(VpsConfigSource config, IOwnAddresses own)
{
    internal EgressPolicy Current => new(config.Current.EgressAllow, own);
}
