namespace Aggregator.Gateway.Clients;

/// <summary>What the local API finds.</summary>
/// <param name="Server">Null: roaming clients are not configured, or cannot be had.</param>
/// <param name="Problem">Why they cannot; null otherwise.</param>
internal sealed record ClientDesk(ClientServer? Server, string? Problem);
