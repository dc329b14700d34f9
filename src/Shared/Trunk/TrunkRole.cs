namespace Aggregator.Trunk;

/// <summary>Which end of a trunk. Only the gateway opens streams and lanes.</summary>
internal enum TrunkRole
{
    Gateway,
    Vps,
}
