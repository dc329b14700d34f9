using Aggregator.Flows;

namespace Aggregator.Gateway.Carriers;

/// <summary>No connection to the VPS came about. The message says why, for the last attempt.</summary>
internal sealed class DialException(string message, OpenResult result, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>What flows that waited for it are told: NoCarrier or Busy.</summary>
    internal OpenResult Result { get; } = result;
}
