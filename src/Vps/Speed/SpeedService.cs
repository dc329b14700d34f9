using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Aggregator.Speed;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Speed;

/// <summary>The call that a speed test is (speed.proto): it begins a run, tells what this side sees of it, and ends it.</summary>
internal sealed class SpeedService(
    GatewaySessions sessions,
    SpeedRuns runs,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<SpeedService> logger) : SpeedTest.SpeedTestBase
{
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(5);

    /// <summary>Eight links with the longest duration there is take less.</summary>
    private static readonly TimeSpan LongestRun = TimeSpan.FromMinutes(30);

    public override async Task Run(
        IAsyncStreamReader<SpeedRunRequest> requestStream, IServerStreamWriter<SpeedRunReport> responseStream, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the speed test is reached through the VPS's port only");
        if (sessions.Find(peer.Pin) is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        ending.CancelAfter(LongestRun);
        var run = runs.TryBegin(peer.Pin, ending.Token)
            ?? throw new RpcException(new GrpcStatus(StatusCode.ResourceExhausted, "a speed test of this gateway runs already"));
        logger.TestBegan(gateway.Name);
        try
        {
            await RunAsync(run, gateway, requestStream, responseStream, ending.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The gateway hung up, or this daemon ends.
        }
        finally
        {
            runs.End(run);
            await ending.CancelAsync();
            logger.TestEnded(gateway.Name);
        }
    }

    private async Task RunAsync(
        SpeedRun run, LiveGateway gateway, IAsyncStreamReader<SpeedRunRequest> requests, IServerStreamWriter<SpeedRunReport> reports, CancellationToken cancellationToken)
    {
        byte[] id = new byte[SpeedProtocol.RunIdBytes];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(id, run.Id);
        await reports.WriteAsync(
            new SpeedRunReport
            {
                Begun = new SpeedBegun
                {
                    RunId = ByteString.CopyFrom(id),
                    Version = ProductVersion.Text,
                    MaxStreams = SpeedRun.MaxStreams,
                    MaxStreamMs = (uint)SpeedProtocol.LongestStream.TotalMilliseconds,
                    MptcpEnabled = MptcpState.IsEnabled(),
                    FlowTarget = SpeedProtocol.FlowName,
                },
            },
            cancellationToken);

        var wish = new Wish();
        Task reading = ReadAsync(requests, wish, cancellationToken);
        var cpu = new CpuMeter(time);
        while (!reading.IsCompleted)
        {
            var sample = new SpeedSample { TimeS = time.GetTimestamp() / (double)time.TimestampFrequency };
            sample.Groups.AddRange(run.Sample());
            if (cpu.TryRead() is { } host)
            {
                sample.Host = host;
            }

            if (wish.Subflows)
            {
                sample.Subflows.AddRange(GatewaySubflows.Read(gateway));
            }

            await reports.WriteAsync(new SpeedRunReport { Sample = sample }, cancellationToken);
            await Task.WhenAny(reading, Task.Delay(wish.Interval, time, cancellationToken));
        }

        await reading;
    }

    private static async Task ReadAsync(IAsyncStreamReader<SpeedRunRequest> requests, Wish wish, CancellationToken cancellationToken)
    {
        while (await requests.MoveNext(cancellationToken))
        {
            var asked = TimeSpan.FromMilliseconds(requests.Current.IntervalMs);
            wish.Interval = asked < ShortestInterval ? ShortestInterval : asked > LongestInterval ? LongestInterval : asked;
            wish.Subflows = requests.Current.Subflows;
        }
    }

    /// <summary>What the gateway asked for last.</summary>
    private sealed class Wish
    {
        internal TimeSpan Interval { get; set; } = TimeSpan.FromMilliseconds(100);

        internal bool Subflows { get; set; }
    }
}
