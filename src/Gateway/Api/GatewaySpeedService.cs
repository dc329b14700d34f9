using System.Threading.Channels;
using Aggregator.Gateway.Speed;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>The speed test as the command line asks for it, over the daemon's Unix socket.</summary>
internal sealed class GatewaySpeedService(SpeedTester tester, IHostApplicationLifetime lifetime) : GatewaySpeed.GatewaySpeedBase
{
    /// <summary>A screen that is slower misses steps of progress, not the result.</summary>
    private const int MaxWaiting = 256;

    public override async Task Run(SpeedRequest request, IServerStreamWriter<SpeedEvent> responseStream, ServerCallContext context)
    {
        SpeedOptions options = OptionsOf(request);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var progress = Channel.CreateBounded<SpeedProgress>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropOldest });
        Task<SpeedResult> running = RunAsync(options, progress.Writer, ending.Token);
        try
        {
            await foreach (SpeedProgress step in progress.Reader.ReadAllAsync(ending.Token))
            {
                await responseStream.WriteAsync(new SpeedEvent { Progress = step }, ending.Token);
            }

            await responseStream.WriteAsync(new SpeedEvent { Result = await running }, ending.Token);
        }
        catch (SpeedException e)
        {
            throw new RpcException(new GrpcStatus(e.Failure == SpeedFailure.UnknownLink ? StatusCode.NotFound : StatusCode.FailedPrecondition, e.Message));
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the daemon is ending"));
        }
        finally
        {
            // Whoever asked has gone, or all is told: nothing goes on behind his back.
            await ending.CancelAsync();
            await running.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task<SpeedResult> RunAsync(SpeedOptions options, ChannelWriter<SpeedProgress> progress, CancellationToken cancellationToken)
    {
        try
        {
            return await tester.RunAsync(options, step => progress.TryWrite(step), cancellationToken);
        }
        finally
        {
            progress.Complete();
        }
    }

    private static SpeedOptions OptionsOf(SpeedRequest request)
    {
        TimeSpan duration = request.DurationMs == 0 ? SpeedOptions.DefaultDuration : TimeSpan.FromMilliseconds(request.DurationMs);
        if (duration < SpeedOptions.ShortestDuration || duration > SpeedOptions.LongestDuration)
        {
            throw new RpcException(new GrpcStatus(
                StatusCode.InvalidArgument, $"the duration must be {SpeedOptions.ShortestDuration.TotalSeconds:0} to {SpeedOptions.LongestDuration.TotalSeconds:0} s"));
        }

        bool both = request.Down == request.Up;
        return new SpeedOptions([.. request.Links], both || request.Down, both || request.Up, duration, !request.NoBonded);
    }
}
