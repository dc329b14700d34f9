using System.Globalization;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Packets;

/// <summary>The LAN's names with foreign parts at both ends: dig on the client, dnsmasq as name servers of the internet and of the LAN.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class LanNamesTests(ITestOutputHelper output)
{
    private const int SplitPort = 5354;

    [SkippableTheory]
    [InlineData("trunk")]
    [InlineData("mptcp")]
    public async Task Names_are_resolved_at_the_VPS_split_in_the_LAN_and_without_a_VPS_over_the_lines(string carrier)
    {
        await using Scene scene = await Scene.PrepareAsync(new ProductSettings
        {
            Carrier = carrier,
            GatewayMore = $"fallback: direct\ndns:\n  listen: [{LabAddresses.LanGateway}, \"fd00:c0a8:77::1\"]\n  direct: {LabAddresses.Internet}\n"
                + $"  split: {{lan: \"{LabAddresses.Client}:{SplitPort}\"}}\n",
        });
        string big = string.Join("", Enumerable.Range(0, 8).Select(i => $",{new string((char)('a' + i), 250)}"));
        LabProcess internet = Dnsmasq(scene.Lab.Internet, 53, LabAddresses.Internet.ToString(), "--host-record=www.example,192.0.2.80,2001:db8:80::1", $"--txt-record=big.example{big}");
        LabProcess lan = Dnsmasq(scene.Lab.Client, SplitPort, LabAddresses.Client.ToString(), "--host-record=nas.lan,192.168.77.9");
        await Task.WhenAll(internet.WaitForLineAsync("started"), lan.WaitForLineAsync("started"));

        // The VPS's own resolver is the internet's server; what it would ask of itself was the lab's.
        await File.WriteAllTextAsync($"/etc/netns/{scene.Lab.Vps.Name}/resolv.conf", $"nameserver {LabAddresses.Internet}\n");
        await scene.Product.StartVpsAsync();
        await scene.Product.PairAsync();
        scene.Product.StartGateway();
        await scene.Product.WaitForConnectedAsync();

        (await UntilAsync(scene, "192.0.2.80", "www.example")).ShouldBe("192.0.2.80");
        (await DigAsync(scene, "www.example", "AAAA", "@fd00:c0a8:77::1")).ShouldBe("2001:db8:80::1");
        (await DigAsync(scene, "www.example", "+tcp")).ShouldBe("192.0.2.80");
        (await DigAsync(scene, "big.example", "TXT", "+noedns", "+ignore")).ShouldBe("", "cut short");
        (await DigAsync(scene, "big.example", "TXT", "+noedns")).Length.ShouldBeGreaterThan(2000, "and asked for again over TCP");
        (await DigAsync(scene, "big.example", "TXT", "+bufsize=4096", "+ignore")).Length.ShouldBeGreaterThan(2000);
        (await DigAsync(scene, "none.example", "+noall", "+comments")).ShouldContain("status: NXDOMAIN");
        (await DigAsync(scene, "nas.lan")).ShouldBe("192.168.77.9");
        string[] askers = Askers(internet);
        output.WriteLine(string.Join(' ', askers));
        askers.ShouldBe([LabAddresses.Vps.ToString()], "only the VPS asks in the internet");
        JsonElement status = (await scene.Product.StatusAsync()).GetProperty("dns");
        output.WriteLine(status.ToString());
        status.GetProperty("answered_vps").GetInt64().ShouldBeGreaterThanOrEqualTo(7);
        status.GetProperty("answered_split").GetInt64().ShouldBe(1);
        status.GetProperty("answered_direct").GetInt64().ShouldBe(0);
        (await DigAsync(scene, "AXFR", "www.example", "+tcp", "+noall", "+comments")).ShouldNotContain("NOERROR");

        // Nobody on the internet's side is answered: the port is not even open there.
        string wan = $"10.11.1.2";
        (await scene.Lab.Internet.RunAsync("dig", $"@{wan}", "www.example", "+short", "+time=1", "+tries=1")).Succeeded.ShouldBeFalse();

        scene.Product.Vps.Kill();
        await UntilAsync(scene, "192.0.2.80", "www.example", () => Askers(internet).Length > 1);
        Askers(internet).ShouldContain(a => a.StartsWith("10.1", StringComparison.Ordinal), "the lines' own addresses ask now");
        (await scene.Product.StatusAsync()).GetProperty("dns").GetProperty("answered_direct").GetInt64().ShouldBeGreaterThan(0);
        (await DigAsync(scene, "nas.lan")).ShouldBe("192.168.77.9");
    }

    /// <summary>Who asked, as dnsmasq logs it: `query[A] www.example from 198.51.100.2`.</summary>
    private static string[] Askers(LabProcess dnsmasq) =>
        [.. dnsmasq.Error.Where(l => l.Contains(" query[", StringComparison.Ordinal) || l.StartsWith("dnsmasq: query[", StringComparison.Ordinal))
            .Select(l => l.Split(" from ")[^1].Trim()).Distinct().Order(StringComparer.Ordinal)];

    private static LabProcess Dnsmasq(LabHost host, int port, string address, params string[] records) => host.Start(
        "dnsmasq",
        [
            "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=", "--bind-interfaces", "--log-queries", "--log-facility=-",
            $"--port={port.ToString(CultureInfo.InvariantCulture)}", $"--listen-address={address}", "--local=/example/lan/", .. records,
        ]);

    /// <summary>`dig +short` on the client; asks the gateway unless a server is named.</summary>
    private async Task<string> DigAsync(Scene scene, params string[] question)
    {
        string[] server = question.Any(q => q.StartsWith('@')) ? [] : [$"@{LabAddresses.LanGateway}"];
        string[] form = question.Contains("+noall") ? [] : ["+short"];
        ToolResult result = await scene.Lab.Client.RunAsync("dig", [.. server, .. form, "+time=5", "+tries=3", .. question]);
        output.WriteLine($"dig {string.Join(' ', question)}: {result.Output.Trim()[..Math.Min(200, result.Output.Trim().Length)]}");
        return result.Output.Trim();
    }

    /// <summary>A connected session is not yet every lane; a lost one is not known at once.</summary>
    private async Task<string> UntilAsync(Scene scene, string wanted, string name, Func<bool>? also = null)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            string got = await DigAsync(scene, name);
            if (got == wanted && also?.Invoke() != false)
            {
                return got;
            }

            limit.Token.ThrowIfCancellationRequested();
        }
    }
}
