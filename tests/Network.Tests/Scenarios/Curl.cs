using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>How a client's traffic comes to the gateway, and how it names its target.</summary>
public enum WayIn
{
    SocksV4,
    SocksV6,
    SocksName,
    HttpV4,
    HttpV6,
    HttpName,
    TransparentV4,
    TransparentV6,
}

/// <summary>curl on a host of the lab. Transfers throw when curl fails or the sums differ.</summary>
/// <param name="directory">For what is sent and received.</param>
internal sealed class Curl(LabHost host, string directory)
{
    /// <summary>So that a hang is a failure with a message. Far more than any transfer here needs.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    internal static string[] Arguments(WayIn way) => way switch
    {
        WayIn.SocksV4 or WayIn.SocksV6 => ["--socks5", Socks],
        WayIn.SocksName => ["--socks5-hostname", Socks],
        WayIn.HttpV4 or WayIn.HttpV6 or WayIn.HttpName => ["--proxytunnel", "--proxy", $"http://{LabAddresses.LanGateway}:{AggregatorUnderTest.HttpPort}"],
        _ => [],
    };

    internal static string Url(WayIn way) => way switch
    {
        WayIn.SocksV6 or WayIn.HttpV6 or WayIn.TransparentV6 => Site.UrlV6,
        WayIn.SocksName or WayIn.HttpName => Site.UrlByName,
        _ => Site.UrlV4,
    };

    internal Task<ToolResult> RunAsync(WayIn way, params string[] more) =>
        host.RunAsync("curl", ["-sS", "--max-time", Limit.TotalSeconds.ToString(), .. Arguments(way), .. more]);

    internal async Task DownloadAsync(WayIn way, int seed, int count)
    {
        string file = Path.Combine(directory, Guid.NewGuid().ToString());
        try
        {
            (await RunAsync(way, "--fail", "-o", file, $"{Url(way)}/bytes/{seed}/{count}")).OutputOrThrow();
            Compare(Site.Sum(await File.ReadAllBytesAsync(file)), seed, count, "download");
        }
        finally
        {
            File.Delete(file);
        }
    }

    internal async Task UploadAsync(WayIn way, int seed, int count)
    {
        string file = Path.Combine(directory, Guid.NewGuid().ToString());
        try
        {
            await File.WriteAllBytesAsync(file, Site.Bytes(seed, count));
            // Without asking for 100-continue first: bytes are to flow at once.
            ToolResult result = await RunAsync(way, "--fail", "-H", "Expect:", "-T", file, $"{Url(way)}/sum");
            Compare(result.OutputOrThrow().Trim(), seed, count, "upload");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Socks => $"{LabAddresses.LanGateway}:{AggregatorUnderTest.SocksPort}";

    private static void Compare(string sum, int seed, int count, string what)
    {
        if (sum != Site.Sum(Site.Bytes(seed, count)))
        {
            throw new IOException($"{what} {seed} of {count} bytes arrived with another checksum");
        }
    }
}
