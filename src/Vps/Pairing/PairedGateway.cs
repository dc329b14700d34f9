using Aggregator.Identity;

namespace Aggregator.Vps.Pairing;

/// <summary>A gateway that may connect.</summary>
/// <param name="Name">Unique among the paired; also its file's name.</param>
/// <param name="Pin">Its key.</param>
internal sealed record PairedGateway(string Name, KeyPin Pin, DateTimeOffset PairedAt);
