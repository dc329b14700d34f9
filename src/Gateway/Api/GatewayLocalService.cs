using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Node;
using Aggregator.Gateway.Policy;
using Aggregator.Gateway.Status;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Gateway.Api;

/// <summary>What the command line asks the daemon, over its Unix socket.</summary>
internal sealed class GatewayLocalService(
    StatusReader status,
    HostController host,
    NodeConnection node,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<GatewayLocalService> log) : GatewayLocal.GatewayLocalBase
{
    /// <summary>Faster than eyes and terminals follow; a status costs a few system calls a connection.</summary>
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan LongestInterval = TimeSpan.FromMinutes(1);

    public override Task<GatewayStatus> GetStatus(StatusRequest request, ServerCallContext context) => Task.FromResult(status.Read());

    public override async Task WatchStatus(
        WatchStatusRequest request, IServerStreamWriter<GatewayStatus> responseStream, ServerCallContext context)
    {
        var asked = TimeSpan.FromMilliseconds(request.IntervalMs);
        TimeSpan interval = asked < ShortestInterval ? ShortestInterval : asked > LongestInterval ? LongestInterval : asked;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        using var timer = new PeriodicTimer(interval, time);
        try
        {
            do
            {
                await responseStream.WriteAsync(status.Read(), ending.Token);
            }
            while (await timer.WaitForNextTickAsync(ending.Token));
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the daemon is ending"));
        }
    }

    public override Task<SetLinkRoleReply> SetLinkRole(SetLinkRoleRequest request, ServerCallContext context)
    {
        if (!Enum.TryParse(request.Role, ignoreCase: true, out LinkRole role) || !Enum.IsDefined(role) || request.Role.Any(char.IsDigit))
        {
            throw new RpcException(new GrpcStatus(
                StatusCode.InvalidArgument, $"`{request.Role}` is no role: give active, backup or off"));
        }

        if (host.Snapshot.Find(request.Link) is null)
        {
            string known = host.Snapshot.Links.IsEmpty ? "there are no links" : "links: " + string.Join(", ", host.Snapshot.Links.Select(l => l.Name));
            throw new RpcException(new GrpcStatus(StatusCode.NotFound, $"no link is called `{request.Link}` ({known})"));
        }

        host.TrySetRole(request.Link, role);
        if (host.Links.MemoryProblem is { } unkept)
        {
            throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, $"{request.Link} is {request.Role} now, but not after a restart: {unkept}"));
        }

        return Task.FromResult(new SetLinkRoleReply());
    }

    public override Task<ReloadReply> Reload(ReloadRequest request, ServerCallContext context)
    {
        node.Reload();
        return Task.FromResult(new ReloadReply());
    }

    public override Task<ShutdownReply> Shutdown(ShutdownRequest request, ServerCallContext context)
    {
        log.ShutdownAsked();
        lifetime.StopApplication();
        return Task.FromResult(new ShutdownReply());
    }
}
