using System.Net;
using System.Security.Cryptography;
using Aggregator.Gateway.Configuration;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Programs that people use, against our listeners.</summary>
public sealed class RealProgramTests
{
    private static readonly byte[] Body = RandomNumberGenerator.GetBytes(3_000_000);

    public static TheoryData<string[]> SocksArguments { get; } =
    [
        ["--socks5-hostname", "{proxy}", "http://server.example:{port}/"],
        ["--socks5", "{proxy}", "http://127.0.0.1:{port}/"],
        ["--proxy", "socks5h://me:true@{proxy}", "http://server.example:{port}/"],
    ];

    [Theory]
    [MemberData(nameof(SocksArguments))]
    public async Task Curl_over_SOCKS5(string[] arguments)
    {
        await using TestServer server = TestServer.Http(Body);
        var carrier = new DirectCarrier();
        carrier.Names["server.example"] = IPAddress.Loopback;
        bool withUser = arguments[1].Contains('@', StringComparison.Ordinal);
        await using IngressRig rig = withUser
            ? await IngressRig.SocksAsync(carrier, null, new ProxyUser("me", "true"))
            : await IngressRig.SocksAsync(carrier);
        (await CurlAsync(rig, server, arguments)).ShouldBe(Convert.ToHexString(SHA256.HashData(Body)));
        carrier.Opens.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Curl_says_that_a_wrong_password_was_refused()
    {
        await using IngressRig rig = await IngressRig.SocksAsync(new DirectCarrier(), null, new ProxyUser("me", "true"));
        ToolResult result = await Tool.RunAsync("curl", ["-sS", "--max-time", "20", "--proxy", $"socks5h://me:false@{rig.EndPoint}", "http://a/"]);
        result.ExitCode.ShouldBe(97);
        rig.Flows.Total.ShouldBe(0);
    }

    [Fact]
    public async Task Curl_through_an_HTTP_tunnel()
    {
        await using TestServer server = TestServer.Http(Body);
        var carrier = new DirectCarrier();
        carrier.Names["server.example"] = IPAddress.Loopback;
        await using IngressRig rig = await IngressRig.HttpAsync(carrier);
        (await CurlAsync(rig, server, ["--proxytunnel", "--proxy", "http://{proxy}", "http://server.example:{port}/"]))
            .ShouldBe(Convert.ToHexString(SHA256.HashData(Body)));
    }

    [Fact]
    public async Task Curl_shows_the_status_of_a_failed_tunnel()
    {
        await using IngressRig rig = await IngressRig.HttpAsync(new DirectCarrier());
        ToolResult result = await Tool.RunAsync(
            "curl", ["-sS", "--max-time", "20", "--proxytunnel", "--proxy", $"http://{rig.EndPoint}", "http://nowhere.example/"]);
        result.ExitCode.ShouldBe(56);
        result.Error.ShouldContain("502");
        // Without --proxytunnel curl asks for a page; it gets the explanation.
        result = await Tool.RunAsync("curl", ["-sS", "--max-time", "20", "--proxy", $"http://{rig.EndPoint}", "http://nowhere.example/"]);
        result.Output.ShouldContain("takes CONNECT host:port only");
    }

    [Fact]
    public async Task Proxychains_over_both()
    {
        await using TestServer server = TestServer.Http(Body);
        await using IngressRig socks = await IngressRig.SocksAsync(new DirectCarrier());
        await using IngressRig http = await IngressRig.HttpAsync(new DirectCarrier());
        string directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;
        try
        {
            foreach (string proxy in new[] { $"socks5 127.0.0.1 {socks.EndPoint.Port}", $"http 127.0.0.1 {http.EndPoint.Port}" })
            {
                string configuration = Path.Combine(directory, "proxychains.conf");
                await File.WriteAllTextAsync(configuration, $"strict_chain\n[ProxyList]\n{proxy}\n");
                string output = Path.Combine(directory, "body");
                ToolResult result = await Tool.RunAsync(
                    "proxychains4", ["-q", "-f", configuration, "curl", "-sS", "--max-time", "30", "-o", output, $"http://127.0.0.1:{server.EndPoint.Port}/"]);
                result.ExitCode.ShouldBe(0, result.Error);
                (await File.ReadAllBytesAsync(output)).SequenceEqual(Body).ShouldBeTrue();
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
        socks.Flows.Total.ShouldBe(1);
        http.Flows.Total.ShouldBe(1);
    }

    /// <summary>The SHA-256 of what curl got.</summary>
    private static async Task<string> CurlAsync(IngressRig rig, TestServer server, string[] arguments)
    {
        string directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;
        try
        {
            string output = Path.Combine(directory, "body");
            IEnumerable<string> given = arguments.Select(a => a
                .Replace("{proxy}", rig.EndPoint.ToString(), StringComparison.Ordinal)
                .Replace("{port}", $"{server.EndPoint.Port}", StringComparison.Ordinal));
            // Proxy variables of the machine must not lead it elsewhere.
            ToolResult result = await Tool.RunAsync("curl", ["-sS", "--noproxy", "", "--max-time", "30", "-o", output, .. given]);
            result.ExitCode.ShouldBe(0, result.Error);
            return Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(output)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
