using System.Net;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>
/// v2ray on both hosts: SOCKS5 in, VMess with aes-128-gcm between. Started under mptcpize; Go makes its system calls itself, so
/// the table says whether MPTCP was really spoken. Plain TCP is the cheaper way for it on these links.
/// </summary>
internal sealed class V2rayVmess() : Contestant("v2ray, vmess aes-128-gcm")
{
    private const int GatewayPort = 5311;
    private const int VpsPort = 5312;

    /// <summary>Of this benchmark's closed network only.</summary>
    private const string User = "6f1b2c7e-2f0b-4a55-9a53-5a0a6d1c9e11";

    internal override async Task<LoadPath> StartAsync(RelayNetwork network, string directory, CancellationToken cancellationToken)
    {
        await network.PrepareMptcpAsync(cancellationToken);
        string vps = Path.Combine(directory, "v2ray-vps.json");
        string gateway = Path.Combine(directory, "v2ray-gateway.json");
        await File.WriteAllTextAsync(
            vps,
            $$$$"""
            {"log": {"loglevel": "warning"},
             "inbounds": [{"listen": "0.0.0.0", "port": {{{{VpsPort}}}}, "protocol": "vmess",
               "settings": {"clients": [{"id": "{{{{User}}}}", "alterId": 0}]}}],
             "outbounds": [{"protocol": "freedom"}]}
            """,
            cancellationToken);
        await File.WriteAllTextAsync(
            gateway,
            $$$$"""
            {"log": {"loglevel": "warning"},
             "inbounds": [{"listen": "{{{{network.GatewayLanAddress}}}}", "port": {{{{GatewayPort}}}}, "protocol": "socks", "settings": {"auth": "noauth"}}],
             "outbounds": [{"protocol": "vmess", "settings": {"vnext": [{"address": "{{{{network.VpsAddress}}}}", "port": {{{{VpsPort}}}},
               "users": [{"id": "{{{{User}}}}", "alterId": 0, "security": "aes-128-gcm"}]}]}}]}
            """,
            cancellationToken);

        await OnVps(NamespaceProcess.Start(network.Vps, "mptcpize", "run", "v2ray", "-config", vps))
            .WaitForListenerAsync(network.Vps, VpsPort, cancellationToken);
        await OnGateway(NamespaceProcess.Start(network.Gateway, "mptcpize", "run", "v2ray", "-config", gateway))
            .WaitForListenerAsync(network.Gateway, GatewayPort, cancellationToken);
        return new LoadPath(
            network.Client,
            network.Server,
            new IPEndPoint(network.ServerAddress, LoadPort),
            new IPEndPoint(network.GatewayLanAddress, GatewayPort));
    }
}
