using Aggregator.Health;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Follows the VPS's health beside the control session, on the same connection (health.proto): reports come by themselves, and a question
/// every <see cref="AskInterval"/> tells how far the clocks are apart. Readers see whole reports and take no lock.
/// </summary>
internal sealed class NodeHealth(TimeProvider time, ILogger log)
{
    /// <summary>An estimate of the clocks is good after a few seconds and then seldom changes.</summary>
    private static readonly TimeSpan AskInterval = TimeSpan.FromSeconds(2);

    /// <summary>A call that broke while its connection lives.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Reports come every two seconds; one that is older than this says nothing about now.</summary>
    private static readonly TimeSpan MostAge = TimeSpan.FromSeconds(10);

    /// <summary>A report takes under two kilobytes.</summary>
    private const int MaxReportBytes = 64 * 1024;

    private volatile Received? _last;
    private volatile bool _tooOld;
    private string _level = HealthReport.Name(HealthLevel.Ok);

    /// <summary>The VPS's last report; null while there is none that is fresh.</summary>
    internal VpsHealth? Report => _last is { } last && time.GetElapsedTime(last.At) <= MostAge ? last.Report : null;

    /// <summary>The VPS that is connected does not know the service.</summary>
    internal bool IsVpsTooOld => _tooOld;

    /// <summary>Runs for as long as the control session does; ends by <paramref name="cancellationToken"/> or when the VPS is too old.</summary>
    internal async Task RunAsync(GrpcChannel channel, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                try
                {
                    await FollowAsync(new HealthReports.HealthReportsClient(channel), cancellationToken);
                }
                // A VPS of before this service turns away all that it does not know as if from a stranger.
                catch (RpcException e) when (e.StatusCode is StatusCode.Unimplemented or StatusCode.Unauthenticated)
                {
                    _tooOld = true;
                    log.VpsHealthMissing();
                    return;
                }
                catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
                {
                    log.VpsHealthBroke(e.Status.Detail);
                }

                await Task.Delay(RetryAfter, time, cancellationToken);
            }
        }
        catch (Exception e) when (cancellationToken.IsCancellationRequested && e is OperationCanceledException or RpcException)
        {
            // The session ends.
        }
        catch (Exception e)
        {
            // A bug of ours must not take the control session with it.
            log.VpsHealthFault(e);
        }
        finally
        {
            _last = null;
            _tooOld = false;
        }
    }

    private async Task FollowAsync(HealthReports.HealthReportsClient client, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = client.Watch(cancellationToken: ending.Token);
        var gate = new Lock();
        var clock = new ClockEstimate(time);
        Task asking = AskAsync(call.RequestStream, clock, gate, ending.Token);
        try
        {
            while (await call.ResponseStream.MoveNext(ending.Token))
            {
                switch (call.ResponseStream.Current.KindCase)
                {
                    case HealthUpdate.KindOneofCase.Report:
                        Take(call.ResponseStream.Current.Report);
                        break;
                    case HealthUpdate.KindOneofCase.Echo:
                        lock (gate)
                        {
                            clock.Answered(call.ResponseStream.Current.Echo);
                        }

                        break;
                    default:
                        // Of a later version.
                        break;
                }
            }
        }
        finally
        {
            await ending.CancelAsync();
            await asking.ContinueWith(
                static asked => asked.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task AskAsync(IClientStreamWriter<ClockProbe> probes, ClockEstimate clock, Lock gate, CancellationToken cancellationToken)
    {
        while (true)
        {
            ClockProbe probe;
            lock (gate)
            {
                probe = clock.Ask();
            }

            await probes.WriteAsync(probe, cancellationToken);
            await Task.Delay(AskInterval, time, cancellationToken);
        }
    }

    private void Take(VpsHealth report)
    {
        if (report.CalculateSize() > MaxReportBytes)
        {
            return;
        }

        // From another version, or from nobody we know: what `health --json` promises must be there all the same.
        report.Memory ??= new();
        report.Swap ??= new();
        report.Pressure ??= new();
        report.TcpMemory ??= new();
        report.Conntrack ??= new();
        report.Files ??= new();
        _last = new Received(report, time.GetTimestamp());
        if (report.Level != _level)
        {
            LogChange(report, _level);
            _level = report.Level;
        }
    }

    private void LogChange(VpsHealth report, string before)
    {
        if (report.Level == HealthReport.Name(HealthLevel.Ok))
        {
            log.VpsRecovered(before);
        }
        else if (report.Level == HealthReport.Name(HealthLevel.Critical))
        {
            log.VpsCritical(before, HealthText.Summary(report));
        }
        else
        {
            log.VpsWarned(report.Level, before, HealthText.Summary(report));
        }
    }

    private sealed record Received(VpsHealth Report, long At);
}
