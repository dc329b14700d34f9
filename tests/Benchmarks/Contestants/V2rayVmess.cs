using System.Net;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;

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

    internal override async Task<LoadPath> StartAsync(NetworkLab lab, string directory)
    {
        await RivalMptcp.PrepareAsync(lab);
        string vps = Path.Combine(directory, "v2ray-vps.json");
        string gateway = Path.Combine(directory, "v2ray-gateway.json");
        await File.WriteAllTextAsync(
            vps,
            $$$$"""
            {"log": {"loglevel": "warning"},
             "inbounds": [{"listen": "0.0.0.0", "port": {{{{VpsPort}}}}, "protocol": "vmess",
               "settings": {"clients": [{"id": "{{{{User}}}}", "alterId": 0}]}}],
             "outbounds": [{"protocol": "freedom"}]}
            """);
        await File.WriteAllTextAsync(
            gateway,
            $$$$"""
            {"log": {"loglevel": "warning"},
             "inbounds": [{"listen": "{{{{LabAddresses.LanGateway}}}}", "port": {{{{GatewayPort}}}}, "protocol": "socks", "settings": {"auth": "noauth"}}],
             "outbounds": [{"protocol": "vmess", "settings": {"vnext": [{"address": "{{{{LabAddresses.Vps}}}}", "port": {{{{VpsPort}}}},
               "users": [{"id": "{{{{User}}}}", "alterId": 0, "security": "aes-128-gcm"}]}]}}]}
            """);

        OnVps(lab.Vps.Start("mptcpize", "run", "v2ray", "-config", vps));
        await lab.Vps.WaitForListenerAsync(VpsPort);
        OnGateway(lab.Gateway.Start("mptcpize", "run", "v2ray", "-config", gateway));
        await lab.Gateway.WaitForListenerAsync(GatewayPort);
        return new LoadPath(
            lab.Client,
            lab.Internet,
            new IPEndPoint(LabAddresses.Internet, LoadPort),
            new IPEndPoint(LabAddresses.LanGateway, GatewayPort));
    }
}
