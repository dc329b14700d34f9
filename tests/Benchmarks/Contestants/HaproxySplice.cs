using System.Net;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>HAProxy in TCP mode on both hosts, splice in both directions, MPTCP between by mptcpize. No cipher.</summary>
internal sealed class HaproxySplice() : Contestant("HAProxy, splice, no cipher")
{
    private const int GatewayPort = 5301;
    private const int VpsPort = 5302;

    internal override async Task<LoadPath> StartAsync(NetworkLab lab, string directory)
    {
        await RivalMptcp.PrepareAsync(lab);
        string vps = Path.Combine(directory, "haproxy-vps.cfg");
        string gateway = Path.Combine(directory, "haproxy-gateway.cfg");
        await File.WriteAllTextAsync(vps, Configuration($"0.0.0.0:{VpsPort}", $"{LabAddresses.Internet}:{LoadPort}"));
        await File.WriteAllTextAsync(
            gateway, Configuration($"{LabAddresses.LanGateway}:{GatewayPort}", $"{LabAddresses.Vps}:{VpsPort}"));

        OnVps(lab.Vps.Start("mptcpize", "run", "haproxy", "-db", "-f", vps));
        await lab.Vps.WaitForListenerAsync(VpsPort);
        OnGateway(lab.Gateway.Start("mptcpize", "run", "haproxy", "-db", "-f", gateway));
        await lab.Gateway.WaitForListenerAsync(GatewayPort);
        return new LoadPath(lab.Client, lab.Internet, new IPEndPoint(LabAddresses.LanGateway, GatewayPort));
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
