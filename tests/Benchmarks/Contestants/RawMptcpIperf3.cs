using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>The same as <see cref="RawMptcp"/> with iperf3 in place of our generator: shows that the generator does not flatter or hinder.</summary>
internal sealed class RawMptcpIperf3() : Contestant("kernel MPTCP, iperf3")
{
    private const int Port = 5201;

    internal override async Task<LoadPath> StartAsync(RelayNetwork network, string directory, CancellationToken cancellationToken)
    {
        await network.PrepareMptcpAsync(cancellationToken);
        return new LoadPath(network.Gateway, network.Vps, new IPEndPoint(network.VpsAddress, Port), Mptcp: true);
    }

    internal override async Task<NamespaceProcess> StartServerAsync(LoadPath path, CancellationToken cancellationToken)
    {
        NamespaceProcess server = NamespaceProcess.Start(path.ServerNamespace, "mptcpize", "run", "iperf3", "-s", "-p", Text(Port));
        await server.WaitForListenerAsync(path.ServerNamespace, Port, cancellationToken);
        return server;
    }

    internal override async Task<BulkResult> RunBulkAsync(LoadPath path, LoadRequest request, int streams, CancellationToken cancellationToken)
    {
        ToolResult result = await Tool.RunAsync(
            "ip",
            [
                "netns", "exec", path.ClientNamespace, "mptcpize", "run", "iperf3", "-J", "-c", path.Target.Address.ToString(), "-p", Text(Port),
                "-t", Text((int)Math.Ceiling(request.Window.TotalSeconds)), "-O", Text((int)Math.Ceiling(request.WarmUp.TotalSeconds)),
                "-P", Text(streams), .. request.Kind == LoadKind.Down ? (string[])["-R"] : [],
            ],
            cancellationToken: cancellationToken);
        using JsonDocument report = JsonDocument.Parse(result.OutputOrThrow());
        JsonElement received = report.RootElement.GetProperty("end").GetProperty("sum_received");
        double mbps = received.GetProperty("bits_per_second").GetDouble() / 1e6;
        return new BulkResult(mbps, received.GetProperty("bytes").GetInt64(), [mbps]);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
