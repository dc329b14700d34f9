using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Aggregator.Benchmarks.Load;
using Aggregator.Benchmarks.Networks;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios;

/// <summary>Resident memory of a daemon in bytes.</summary>
/// <param name="IdleBytesPerFlow">(Open − Before) / flows.</param>
internal sealed record StormMemory(long Before, long Open, long Peak, double IdleBytesPerFlow);

/// <summary>Processor time of a daemon in seconds.</summary>
/// <param name="Opening">From the first flow until the second look (<see cref="Idle"/> begins then): opening, and what it leaves to do.</param>
/// <param name="Idle">A second of all flows without traffic.</param>
internal sealed record StormCpu(double Opening, double Idle);

/// <param name="Joined">Seconds from the first flow until each MPTCP connection of the gateway had a subflow on each further line; null: it never had, or none is wanted.</param>
/// <param name="Joins">Of them, until then.</param>
internal sealed record StormReport(
    StormResult Opened, StormResult AfterIdling, StormMemory Gateway, StormMemory Vps, StormCpu GatewayCpu, StormCpu VpsCpu, double? Joined, long Joins);

/// <summary>Thousands of flows opened at once through the gateway's SOCKS5 server to an echo server: how many are lost, how long it takes, what they cost.</summary>
internal static class StormScenario
{
    private const int EchoPort = 5400;

    internal static async Task<StormReport> RunAsync(int flows, TimeSpan idle, ProductSettings settings, Action<string> progress)
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync(BenchmarkLabs.Unequal);
        await using AggregatorUnderTest product = await AggregatorUnderTest.StartAsync(lab, settings);
        string[] echo = Generator.Command("echo", $"0.0.0.0:{EchoPort}");
        lab.Internet.Start(echo[0], echo[1..]);
        await lab.Internet.WaitForListenerAsync(EchoPort);

        // One flow first, so that compiling (JIT) is not taken for flows.
        await StormAsync(lab, product, 1, TimeSpan.Zero);
        ProcessUsage gatewayBefore = ProcessUsage.Of(product.Gateway.Id), vpsBefore = ProcessUsage.Of(product.Vps.Id);
        progress($"opening {flows} flows");
        ProcessUsage gatewayOpen = default, vpsOpen = default, gatewayIdle = default, vpsIdle = default;
        using var enough = new CancellationTokenSource();
        Task<(double? Seconds, long Joins)> joined = JoinedAsync(lab, flows, enough.Token);
        (StormResult opened, StormResult again) = await StormAsync(
            lab,
            product,
            flows,
            idle,
            async () =>
            {
                progress($"idle for {idle.TotalSeconds:0} s");
                await Task.Delay(idle * 0.4);
                (gatewayIdle, vpsIdle) = (ProcessUsage.Of(product.Gateway.Id), ProcessUsage.Of(product.Vps.Id));
                await Task.Delay(idle * 0.4);
                gatewayOpen = ProcessUsage.Of(product.Gateway.Id);
                vpsOpen = ProcessUsage.Of(product.Vps.Id);
            });
        await enough.CancelAsync();
        (double? seconds, long joins) = await joined;
        return new StormReport(
            opened,
            again,
            Memory(gatewayBefore, gatewayOpen, product.Gateway, flows),
            Memory(vpsBefore, vpsOpen, product.Vps, flows),
            Cpu(gatewayBefore, gatewayIdle, gatewayOpen, idle * 0.4),
            Cpu(vpsBefore, vpsIdle, vpsOpen, idle * 0.4),
            seconds,
            joins);
    }

    private static StormCpu Cpu(ProcessUsage before, ProcessUsage idle, ProcessUsage after, TimeSpan between) =>
        new(idle.CpuSeconds - before.CpuSeconds, (after.CpuSeconds - idle.CpuSeconds) / between.TotalSeconds);

    /// <summary>By the kernel's own counters: as many joins answered as connections, on each line but the one that each began on.</summary>
    private static async Task<(double? Seconds, long Joins)> JoinedAsync(NetworkLab lab, int flows, CancellationToken enough)
    {
        long began = Stopwatch.GetTimestamp();
        long joins = 0;
        while (!enough.IsCancellationRequested)
        {
            IReadOnlyDictionary<string, long> mptcp = await KernelCounters.ReadAsync(lab.Gateway, "MPTcpExt");
            long connections = mptcp["MPCapableSYNACKRX"];
            joins = mptcp["MPJoinSynAckRx"];
            if (connections > flows && joins >= connections * (lab.Wans.Count - 1))
            {
                return (Stopwatch.GetElapsedTime(began).TotalSeconds, joins);
            }

            await Task.Delay(100, enough).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return (null, joins);
    }

    private static StormMemory Memory(ProcessUsage before, ProcessUsage open, LabProcess process, int flows) => new(
        before.ResidentBytes,
        open.ResidentBytes,
        ProcessUsage.Of(process.Id).PeakResidentBytes,
        (double)(open.ResidentBytes - before.ResidentBytes) / flows);

    private static async Task<(StormResult Opened, StormResult Again)> StormAsync(
        NetworkLab lab, AggregatorUnderTest product, int flows, TimeSpan idle, Func<Task>? whileIdle = null)
    {
        string[] command = Generator.Command(
            "storm",
            new IPEndPoint(LabAddresses.Internet, EchoPort).ToString(),
            "--socks", product.Socks.ToString(),
            "--flows", flows.ToString(CultureInfo.InvariantCulture),
            "--idle-ms", ((int)idle.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));
        LabProcess client = lab.Client.Start(command[0], command[1..]);
        string opened = await client.WaitForLineAsync(l => l.StartsWith('{'), "its first report", TimeSpan.FromMinutes(3));
        if (whileIdle is not null)
        {
            await whileIdle();
        }

        if (await client.WaitForExitAsync(TimeSpan.FromMinutes(3)) != 0)
        {
            throw new IOException($"the storm's client failed\n{client.Transcript()}");
        }

        return (Read(opened), Read(client.Output.Last(l => l.StartsWith('{'))));
    }

    private static StormResult Read(string line) =>
        JsonSerializer.Deserialize<StormResult>(line, Generator.Json) ?? throw new IOException("no report");
}
