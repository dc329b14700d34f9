using Aggregator.Benchmarks.Contestants;
using Aggregator.Benchmarks.Report;
using Aggregator.Lab.Product;

namespace Aggregator.Benchmarks.Scenarios.Trunk;

/// <summary>Where only processors limit: one stream, TLS, against v2ray in the same run.</summary>
internal static class UnshapedRow
{
    internal static TrunkRow Row { get; } = new("unshaped", "one stream without shaping against v2ray", ["mptcpize", "v2ray"], RunAsync);

    private static async Task<IReadOnlyList<TrunkFigure>> RunAsync(TrunkOptions options, CancellationToken cancellationToken)
    {
        string ours = $"Aggregator, {options.Settings.Carrier ?? "trunk"}{(options.Settings.Encrypt ? ", TLS 1.3" : ", no cipher")}";
        RelayReport report = await RelayScenario.RunAsync(
            [new Ours(ours, options.Settings with { Transparent = false }), new V2rayVmess()],
            new RelayOptions(options.Times(5, 2), TimeSpan.FromSeconds(1), options.Seconds(3), [1]),
            options.Progress,
            cancellationToken);
        return
        [
            .. report.Ratios.Select(r =>
            {
                double mine = Mbps(report, r.Ours, r.Direction), other = Mbps(report, r.Rival, r.Direction);
                return new TrunkFigure("unshaped", $"{r.Direction}: ours / v2ray, Mbit/s", $"{mine:0} / {other:0} = {r.Throughput:0.00}", "> 1", r.Throughput > 1);
            }),
        ];
    }

    private static double Mbps(RelayReport report, string contestant, string direction) =>
        report.Rows.First(r => r.Contestant == contestant && r.Direction == direction).Mbps.Median;
}
