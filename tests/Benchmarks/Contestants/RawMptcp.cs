using System.Net;
using Aggregator.Benchmarks.Networks;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>No relay: the generator itself speaks MPTCP from the gateway to the VPS. The ceiling.</summary>
internal sealed class RawMptcp() : Contestant("kernel MPTCP, no relay")
{
    internal override async Task<LoadPath> StartAsync(RelayNetwork network, string directory, CancellationToken cancellationToken)
    {
        await network.PrepareMptcpAsync(cancellationToken);
        return new LoadPath(network.Gateway, network.Vps, new IPEndPoint(network.VpsAddress, LoadPort), Mptcp: true);
    }
}
