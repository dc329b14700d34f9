namespace Aggregator.Trunk;

/// <summary>The peer sent what proto/trunk.md does not allow. Ends the lane or the session, as that text says for each case.</summary>
internal sealed class TrunkProtocolException(string message, bool endsSession = false) : IOException("Trunk protocol: " + message + ".")
{
    /// <summary>False: only the lane on which it came.</summary>
    internal bool EndsSession { get; } = endsSession;
}
