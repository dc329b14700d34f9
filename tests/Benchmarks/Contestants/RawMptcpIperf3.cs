using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Topology;
using Aggregator.Processes;

namespace Aggregator.Benchmarks.Contestants;

/// <summary>The same as <see cref="RawMptcp"/> with iperf3 in place of our generator: shows that the generator does not flatter or hinder.</summary>
internal sealed class RawMptcpIperf3() : Contestant("kernel MPTCP, iperf3")
{
    private const int Port = 5201;

    internal override async Task<LoadPath> StartAsync(NetworkLab lab, string directory)
    {
        await RivalMptcp.PrepareAsync(lab);
        return new LoadPath(lab.Gateway, lab.Vps, new IPEndPoint(LabAddresses.Vps, Port), Mptcp: true);
    }

    internal override async Task StartServerAsync(LoadPath path)
    {
        path.Server.Start("mptcpize", "run", "iperf3", "-s", "-p", Text(Port));
        await path.Server.WaitForListenerAsync(Port);
    }

    internal override async Task<BulkResult> RunBulkAsync(LoadPath path, LoadRequest request, int streams, CancellationToken cancellationToken)
    {
        ToolResult result = await path.Client.RunAsync(
            "mptcpize",
            [
                "run", "iperf3", "-J", "-c", path.Target.Address.ToString(), "-p", Text(Port),
                "-t", Text((int)Math.Ceiling(request.Window.TotalSeconds)), "-O", Text((int)Math.Ceiling(request.WarmUp.TotalSeconds)),
                "-P", Text(streams), .. request.Kind == LoadKind.Down ? (string[])["-R"] : [],
            ],
            cancellationToken);
        using JsonDocument report = JsonDocument.Parse(result.OutputOrThrow());
        JsonElement received = report.RootElement.GetProperty("end").GetProperty("sum_received");
        double mbps = received.GetProperty("bits_per_second").GetDouble() / 1e6;
        return new BulkResult(mbps, received.GetProperty("bytes").GetInt64(), [mbps]);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
