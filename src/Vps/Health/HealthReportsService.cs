using System.Threading.Channels;
using Aggregator.Health;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Health;

/// <summary>The report as a stream for a gateway, and the answers to its questions for the time (health.proto).</summary>
internal sealed class HealthReportsService(
    HealthMonitor monitor, ClockBoard clocks, GatewaySessions sessions, IHostApplicationLifetime lifetime, TimeProvider time)
    : HealthReports.HealthReportsBase
{
    /// <summary>Reports without a change of the level.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>Answers that wait to be written; of older ones the round trip would be of no use.</summary>
    private const int MaxEchoes = 4;

    /// <summary>A clock that is a century off says no more than one that is off by this.</summary>
    private static readonly TimeSpan MostSkew = TimeSpan.FromDays(36_500);

    public override async Task Watch(
        IAsyncStreamReader<ClockProbe> requestStream, IServerStreamWriter<HealthUpdate> responseStream, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the health service is reached through the VPS's port only");
        if (sessions.Find(peer.Pin) is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var echoes = Channel.CreateBounded<ClockEcho>(new BoundedChannelOptions(MaxEchoes) { FullMode = BoundedChannelFullMode.DropOldest });
        Task reading = ReadAsync(requestStream, gateway, echoes.Writer, ending.Token);
        Task writing = WriteAsync(responseStream, gateway, echoes.Reader, ending.Token);
        try
        {
            await await Task.WhenAny(reading, writing);
        }
        catch (Exception e) when (lifetime.ApplicationStopping.IsCancellationRequested && e is OperationCanceledException or IOException or RpcException)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the VPS ends, or starts again"));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The gateway is gone.
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll(reading, writing).ContinueWith(
                static both => both.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            clocks.Remove(gateway.Pin);
        }
    }

    /// <summary>Ends when the gateway ends the call.</summary>
    private async Task ReadAsync(
        IAsyncStreamReader<ClockProbe> probes, LiveGateway gateway, ChannelWriter<ClockEcho> echoes, CancellationToken cancellationToken)
    {
        while (await probes.MoveNext(cancellationToken))
        {
            var probe = probes.Current;
            echoes.TryWrite(new ClockEcho { Sequence = probe.Sequence, ReceivedUs = NowUs() });
            if (probe.HasVpsAheadMs && probe.HasUncertaintyMs)
            {
                clocks.Set(gateway.Pin, new ClockSkew(
                    $"gateway {gateway.Name}", Bounded(probe.VpsAheadMs), Bounded(Math.Max(0, probe.UncertaintyMs))));
            }
        }
    }

    private async Task WriteAsync(
        IServerStreamWriter<HealthUpdate> updates, LiveGateway gateway, ChannelReader<ClockEcho> echoes, CancellationToken cancellationToken)
    {
        var look = await monitor.CurrentAsync(cancellationToken);
        string level = "";
        long sentAt = 0;
        Task<bool> echo = echoes.WaitToReadAsync(cancellationToken).AsTask();
        while (true)
        {
            var report = ReportFor(gateway, look.Picture);
            // Looks come a little more or less than a second apart.
            if (report.Level != level || time.GetElapsedTime(sentAt) >= Interval - (HealthMonitor.Interval / 2))
            {
                await updates.WriteAsync(new HealthUpdate { Report = report }, cancellationToken);
                (level, sentAt) = (report.Level, time.GetTimestamp());
            }

            Task<HealthLook> next = monitor.AfterAsync(look.Number, cancellationToken).AsTask();
            while (!next.IsCompleted)
            {
                await Task.WhenAny(next, echo);
                if (!echo.IsCompleted)
                {
                    break;
                }

                await echo;
                while (echoes.TryRead(out var answer))
                {
                    answer.SentUs = NowUs();
                    await updates.WriteAsync(new HealthUpdate { Echo = answer }, cancellationToken);
                }

                echo = echoes.WaitToReadAsync(cancellationToken).AsTask();
            }

            look = await next;
        }
    }

    /// <summary>Of other gateways it tells what they take together, and nothing of each.</summary>
    private VpsHealth ReportFor(LiveGateway gateway, HealthPicture picture)
    {
        var report = HealthReport.Of(picture with { Clocks = clocks.Find(gateway.Pin) is { } own ? [own] : [] });
        if (report.Need is { } need)
        {
            var mine = need.Gateways.Where(g => g.Gateway == gateway.Name).ToArray();
            need.Gateways.Clear();
            need.Gateways.AddRange(mine);
        }

        return report;
    }

    private long NowUs() => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static TimeSpan Bounded(double milliseconds) => double.IsNaN(milliseconds)
        ? TimeSpan.Zero
        : TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, -MostSkew.TotalMilliseconds, MostSkew.TotalMilliseconds));
}
