using Aggregator.Benchmarks.Networks;
using Aggregator.Benchmarks.Scenarios.Trunk;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <summary>A client's own DTLS session (OpenSSL's, at both ends) with a host on the internet, through the gateway, while the gateway's lines change under it.</summary>
internal static class DtlsRow
{
    private const int Port = 4433;
    private const int PerSecond = 20;

    internal static TrunkRow Row { get; } = new("dtls", "a DTLS session of a LAN client while the gateway's lines fail in turn", ["openssl", "nft"], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Faults);
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, options.Settings);
        await product.WaitForStatusAsync(s => s.GetProperty("packets").GetProperty("state").GetString() == "on", "packets", TimeSpan.FromSeconds(30));
        string folder = Directory.CreateTempSubdirectory("aggregator-dtls-").FullName;
        try
        {
            int count = (int)(options.Seconds(16, 14).TotalSeconds * PerSecond);
            await lab.Internet.ShellAsync($"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {folder}/key -out {folder}/cert -days 2 -subj /CN=lab 2>/dev/null");

            // Standard input stays open: at its end either would say goodbye.
            lab.Internet.Start("/bin/sh", "-c", $"sleep 100 | openssl s_server -dtls1_2 -accept {Port} -key {folder}/key -cert {folder}/cert -quiet > {folder}/heard 2>{folder}/server");
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
            string line = $"i=1; while [ $i -le {count} ]; do echo line $i; i=$((i+1)); sleep {1.0 / PerSecond:0.00}; done; sleep 3";
            Task<string> session = lab.Client.ShellAsync($"({line}) | openssl s_client -dtls1_2 -connect {LabAddresses.Internet}:{Port} -mtu 1200 -quiet > /dev/null 2>{folder}/client");
            await Task.Delay(TimeSpan.FromSeconds(4), cancellationToken);
            lab.Wans["one"].BlackHole = true;
            await Task.Delay(TimeSpan.FromSeconds(4), cancellationToken);
            lab.Wans["one"].BlackHole = false;
            await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
            await lab.Wans["two"].RemoveAsync();
            await session;
            string[] heard = await File.ReadAllLinesAsync(Path.Combine(folder, "heard"), cancellationToken);
            string[] lines = [.. heard.Where(l => l.StartsWith("line ", StringComparison.Ordinal)).Distinct()];
            bool survived = lines.Contains($"line {count}");
            return
            [
                new TrunkFigure("dtls", "one session goes on over both changes, to its last record", survived ? "yes" : $"no: {lines.LastOrDefault() ?? "nothing was heard"}", "survives", survived),
                new TrunkFigure("dtls", $"records, {PerSecond} a second", $"{count - lines.Length} of {count} lost", "", null),
            ];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
