using System.Net;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>HAProxy in TCP mode on both hosts, splice in both directions, MPTCP between by mptcpize. No cipher.</summary>
internal sealed class HaproxySplice() : Contestant("HAProxy, splice, no cipher")
{
    private const int GatewayPort = 5301;
    private const int VpsPort = 5302;

    internal override async Task<LoadPath> StartAsync(RelayNetwork network, string directory, CancellationToken cancellationToken)
    {
        await network.PrepareMptcpAsync(cancellationToken);
        string vps = Path.Combine(directory, "haproxy-vps.cfg");
        string gateway = Path.Combine(directory, "haproxy-gateway.cfg");
        await File.WriteAllTextAsync(vps, Configuration($"0.0.0.0:{VpsPort}", $"{network.ServerAddress}:{LoadPort}"), cancellationToken);
        await File.WriteAllTextAsync(
            gateway, Configuration($"{network.GatewayLanAddress}:{GatewayPort}", $"{network.VpsAddress}:{VpsPort}"), cancellationToken);

        await OnVps(NamespaceProcess.Start(network.Vps, "mptcpize", "run", "haproxy", "-db", "-f", vps))
            .WaitForListenerAsync(network.Vps, VpsPort, cancellationToken);
        await OnGateway(NamespaceProcess.Start(network.Gateway, "mptcpize", "run", "haproxy", "-db", "-f", gateway))
            .WaitForListenerAsync(network.Gateway, GatewayPort, cancellationToken);
        return new LoadPath(network.Client, network.Server, new IPEndPoint(network.GatewayLanAddress, GatewayPort));
    }

    private static string Configuration(string listen, string server) => $"""
        global
          maxconn 4000
        defaults
          mode tcp
          option splice-auto
          option splice-request
          option splice-response
          timeout connect 10s
          timeout client 1h
          timeout server 1h
        listen forward
          bind {listen}
          server next {server}

        """;
}
