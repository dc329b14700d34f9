using System.Net;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>No relay: the generator itself speaks MPTCP from the gateway to the VPS. The ceiling.</summary>
internal sealed class RawMptcp() : Contestant("kernel MPTCP, no relay")
{
    internal override async Task<LoadPath> StartAsync(NetworkLab lab, string directory)
    {
        await RivalMptcp.PrepareAsync(lab);
        return new LoadPath(lab.Gateway, lab.Vps, new IPEndPoint(LabAddresses.Vps, LoadPort), Mptcp: true);
    }
}
