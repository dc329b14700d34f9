using System.Net;
using System.Net.Sockets;
using Aggregator.Cli;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Ingress;

/// <summary>The listeners of the configuration.</summary>
internal sealed class IngressSet : IAsyncDisposable
{
    /// <summary>Packets that TPROXY leads here come to these alone; any free port does.</summary>
    private const int AnyPort = 0;

    private readonly List<IIngress> _all = [];

    internal IPEndPoint? TransparentV4 { get; private set; }

    internal IPEndPoint? TransparentV6 { get; private set; }

    /// <exception cref="CliException">A listener that the user asked for cannot be had.</exception>
    internal static async Task<IngressSet> StartAsync(
        IngressConfig config, IngressContext context, List<Warning> warnings, CancellationToken cancellationToken)
    {
        var set = new IngressSet();
        try
        {
            if (config.Socks is { } socks)
            {
                await set.AddAsync(new SocksIngress(socks, config.SocksUsers, context), cancellationToken);
            }

            if (config.Http is { } http)
            {
                await set.AddAsync(new HttpIngress(http, context), cancellationToken);
            }

            if (config is { Transparent: true, WholeIp: false })
            {
                set.TransparentV4 = await set.AddAsync(
                    new TransparentIngress(new IPEndPoint(IPAddress.Loopback, AnyPort), context), cancellationToken);
                set.TransparentV6 = await set.TryAddV6Async(context, warnings, cancellationToken);
            }

            return set;
        }
        catch
        {
            await set.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IIngress ingress in _all)
        {
            await ingress.DisposeAsync();
        }
    }

    private async Task<IPEndPoint> AddAsync(IIngress ingress, CancellationToken cancellationToken)
    {
        _all.Add(ingress);
        StartResult result = await ingress.StartAsync(cancellationToken);
        return result.Succeeded ? ingress.LocalEndPoint! : throw new CliException(result.Error!);
    }

    private async Task<IPEndPoint?> TryAddV6Async(IngressContext context, List<Warning> warnings, CancellationToken cancellationToken)
    {
        if (Socket.OSSupportsIPv6)
        {
            var v6 = new TransparentIngress(new IPEndPoint(IPAddress.IPv6Loopback, AnyPort), context);
            _all.Add(v6);
            StartResult result = await v6.StartAsync(cancellationToken);
            if (result.Succeeded)
            {
                return v6.LocalEndPoint;
            }

            warnings.Add(new Warning { Code = "ipv6-missing", Text = $"IPv6 clients are not carried: {result.Error}" });
        }

        return null;
    }
}
