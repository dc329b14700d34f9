using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Lab;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>WANs that are not as in the book: both carry, and either carries alone when the other is gone.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class OddLinksTests(ITestOutputHelper output)
{
    private const long Payload = 150_000;
    private const string LongName = "abcdefghijklmno";
    private const string VlanName = "eth0.100";

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    public enum Oddity
    {
        /// <summary>Two routers, one subnet number.</summary>
        OneSubnet,

        /// <summary>Two ports of one router: one segment, one gateway.</summary>
        OneRouter,

        /// <summary>Two routers that give the same private address.</summary>
        SameAddress,

        /// <summary>No gateway; whoever is asked for is answered for by the other end (ARP for everything).</summary>
        NoGateway,

        /// <summary>IPv6 alone.</summary>
        IPv6Only,

        /// <summary>Names as long as the kernel takes them, and like a VLAN's; one is renamed while in use. And the least MTU that IPv6 allows.</summary>
        NamesAndSmallMtu,
    }

    [SkippableTheory]
    [InlineData(Oddity.OneSubnet, "mptcp")]
    [InlineData(Oddity.OneRouter, "mptcp")]
    [InlineData(Oddity.SameAddress, "mptcp")]
    [InlineData(Oddity.SameAddress, "trunk")]
    [InlineData(Oddity.NoGateway, "mptcp")]
    [InlineData(Oddity.IPv6Only, "mptcp")]
    [InlineData(Oddity.IPv6Only, "trunk")]
    [InlineData(Oddity.NamesAndSmallMtu, "mptcp")]
    public async Task Both_carry_and_either_carries_alone(Oddity oddity, string carrier)
    {
        WanSpec[] wans = [new("one") { DownMbps = 20, UpMbps = 20, DelayMs = 5 }, new("two") { DownMbps = 20, UpMbps = 20, DelayMs = 8 }];
        // Behind NAT a WAN's own address has no way back through the internet, so that two may have the same.
        bool behindNat = oddity is Oddity.OneSubnet or Oddity.SameAddress;
        wans = [.. wans.Select(w => w with { Nat = behindNat ? NatKind.PortRestricted : NatKind.None })];
        wans[1] = wans[1] with { IPv4 = oddity != Oddity.IPv6Only, MtuBytes = oddity == Oddity.NamesAndSmallMtu ? 1280 : 1500 };
        bool both = oddity == Oddity.IPv6Only;
        // As on a kernel without the path manager for single connections.
        bool byKernel = carrier == "mptcp" && oddity == Oddity.OneRouter;
        await using Scene scene = await Scene.PrepareAsync(
            new ProductSettings
            {
                Carrier = carrier,
                GatewayMore = byKernel ? "paths: kernel\n" : "",
                Public = both ? [LabAddresses.Vps.ToString(), LabAddresses.VpsV6.ToString()] : null,
            },
            wans);
        await MakeOddAsync(scene, oddity);
        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();

        LabWan one = scene.Lab.Wans[0], two = scene.Lab.Wans[1];
        // One address can be a path on one device only: connections over the other start there when the first is gone.
        // And nobody tells a connection that began over IPv4 of the VPS's IPv6 address.
        bool together = carrier == "trunk" || oddity is not (Oddity.SameAddress or Oddity.IPv6Only);
        if (together)
        {
            await CarryAsync(scene, one, two);
        }
        else
        {
            JsonElement status = await scene.Product.StatusAsync();
            bool warned = status.GetProperty("warnings").EnumerateArray().Any(w => w.GetProperty("code").GetString() == "same-address");
            warned.ShouldBe(oddity == Oddity.SameAddress);
            await CarryAsync(scene, one);
        }

        foreach ((LabWan gone, LabWan left) in ((LabWan, LabWan)[])[(one, two), (two, one)])
        {
            gone.BlackHole = true;
            await scene.Product.WaitForStatusAsync(s => State(s, gone.Name) == "down", $"{gone.Name} down", Generous);
            await CarryAsync(scene, left);
            gone.BlackHole = false;
            await scene.Product.WaitForStatusAsync(s => State(s, gone.Name) == "up", $"{gone.Name} up", Generous);
        }

        if (oddity == Oddity.NamesAndSmallMtu)
        {
            await RenameAsync(scene, VlanName, "elsewhere");
            await scene.Product.WaitForStatusAsync(s => State(s, two.Name) == "down", "the renamed one down", Generous);
            await CarryAsync(scene, one);
            await RenameAsync(scene, "elsewhere", VlanName);
            await scene.Product.WaitForStatusAsync(s => State(s, two.Name) == "up", "the renamed one up", Generous);
            await CarryAsync(scene, one, two);
        }

        JsonElement last = await scene.Product.StatusAsync();
        last.GetProperty("path_manager").GetString().ShouldBe(byKernel ? "endpoints" : "by connection");
        output.WriteLine(last.GetProperty("warnings").ToString());
    }

    private static async Task MakeOddAsync(Scene scene, Oddity oddity)
    {
        NetworkLab lab = scene.Lab;
        LabHost isp = lab.Wans[1].Isp;
        switch (oddity)
        {
            case Oddity.OneSubnet:
            case Oddity.SameAddress:
                await isp.ConfigureAsync("address flush dev wan\naddress add 10.11.1.1/24 dev wan\n");
                await ReaddressAsync(lab, oddity == Oddity.OneSubnet ? 3 : 2);
                break;
            case Oddity.OneRouter:
                // The second line's far end becomes a port of the first one's router.
                await isp.ShellAsync($"ip link set dev wan netns {lab.Wans[0].Isp.Name} name wanb");
                await lab.Wans[0].Isp.ShellAsync(
                    """
                    ip link add br0 type bridge
                    ip address flush dev wan
                    ip link set dev wan master br0
                    ip link set dev wanb master br0 state up up
                    ip link set dev br0 up
                    ip address add 10.11.1.1/24 dev br0
                    """);
                await ReaddressAsync(lab, 3);
                break;
            case Oddity.NoGateway:
                await isp.ShellAsync("sysctl -qw net.ipv4.conf.wan.proxy_arp=1");
                await lab.Gateway.ConfigureAsync(
                    """
                    address flush dev wan2
                    address add 10.11.2.2 peer 10.11.2.1/32 dev wan2
                    route add default dev wan2 metric 102

                    """);
                break;
            case Oddity.NamesAndSmallMtu:
                await RenameAsync(scene, "wan1", LongName);
                await RenameAsync(scene, "wan2", VlanName);
                string config = await File.ReadAllTextAsync(scene.Product.GatewayConfig);
                await File.WriteAllTextAsync(
                    scene.Product.GatewayConfig,
                    config.Replace("interface: wan1", $"interface: {LongName}", StringComparison.Ordinal).Replace("interface: wan2", $"interface: {VlanName}", StringComparison.Ordinal));
                break;
        }
    }

    private static Task ReaddressAsync(NetworkLab lab, int host) => lab.Gateway.ConfigureAsync(
        $"""
        address flush dev wan2
        address add 10.11.1.{host}/24 dev wan2
        route add default via 10.11.1.1 dev wan2 metric 102

        """);

    /// <summary>As udev does it; its addresses stay, its routes go with it being down.</summary>
    private static async Task RenameAsync(Scene scene, string from, string to)
    {
        string routes = await scene.Lab.Gateway.OutputAsync("ip", "-4", "route", "show", "default", "dev", from);
        string metric = from is "wan1" or LongName ? "101" : "102";
        await scene.Lab.Gateway.ShellAsync($"ip link set dev {from} down && ip link set dev {from} name {to} && ip link set dev {to} state up up");
        string gateway = routes.Split(' ').SkipWhile(w => w != "via").Skip(1).First();
        await scene.Lab.Gateway.ShellAsync($"ip route replace default via {gateway} dev {to} metric {metric}");
    }

    private static string? State(JsonElement status, string link) => status.GetProperty("links").EnumerateArray()
        .First(l => l.GetProperty("name").GetString() == link).GetProperty("state").GetString();

    /// <summary>Transfers both ways, one after the other, until each of these WANs has carried payload.</summary>
    private static async Task CarryAsync(Scene scene, params LabWan[] wans)
    {
        (LabWan Wan, long Down, long Up)[] before = [.. wans.Select(w => (w, w.Down.Counters.BytesDelivered, w.Up.Counters.BytesDelivered))];
        using var limit = new CancellationTokenSource(Generous);
        for (int seed = 1; before.Any(b => b.Wan.Down.Counters.BytesDelivered - b.Down < Payload || b.Wan.Up.Counters.BytesDelivered - b.Up < Payload); seed++)
        {
            limit.IsCancellationRequested.ShouldBeFalse(string.Join(", ", before.Select(b =>
                $"{b.Wan.Name} carried {b.Wan.Down.Counters.BytesDelivered - b.Down} down and {b.Wan.Up.Counters.BytesDelivered - b.Up} up")));
            await Task.WhenAll(
                scene.Curl.DownloadAsync(WayIn.SocksV4, seed, 500_000),
                scene.Curl.DownloadAsync(WayIn.TransparentV4, seed + 1000, 500_000),
                scene.Curl.UploadAsync(WayIn.SocksV4, seed + 2000, 500_000),
                scene.Curl.UploadAsync(WayIn.HttpV4, seed + 3000, 500_000));
        }
    }
}
