namespace Aggregator.Gateway.Doctor;

/// <summary>What the last speed test measured of a link alone.</summary>
/// <param name="DownMbps">Null: not measured.</param>
/// <param name="UpMbps">Null: not measured.</param>
internal sealed record LinkSpeed(double? DownMbps, double? UpMbps);
