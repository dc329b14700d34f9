namespace Aggregator.Gateway.Node;

/// <summary>Makes authenticated connections to the VPS for control. The seam between the control session and the network.</summary>
internal interface INodeDialer
{
    /// <summary>A TLS connection to the VPS for gRPC, its key checked against the pin.</summary>
    /// <exception cref="IOException">Nobody answered, or somebody else did; the message says which.</exception>
    ValueTask<Stream> DialAsync(PairedNode node, CancellationToken cancellationToken);
}
