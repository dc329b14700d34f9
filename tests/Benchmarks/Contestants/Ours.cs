using System.Net;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>Aggregator's daemons with a carrier, with or without cipher, through the gateway's SOCKS5 server.</summary>
internal sealed class Ours(string name, ProductSettings settings) : Contestant(name)
{
    private AggregatorUnderTest? _product;

    internal override bool IsOurs => true;

    internal override async Task<LoadPath> StartAsync(NetworkLab lab, string directory)
    {
        _product = await AggregatorUnderTest.StartAsync(lab, settings);
        OnVps(_product.Vps);
        OnGateway(_product.Gateway);
        return new LoadPath(lab.Client, lab.Internet, new IPEndPoint(LabAddresses.Internet, LoadPort), _product.Socks);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_product is not null)
        {
            await _product.DisposeAsync();
        }

        await base.DisposeAsync();
    }
}
