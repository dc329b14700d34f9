using Aggregator.Vps.Status;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Sessions;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Api;

/// <summary>For the command line, over the Unix socket.</summary>
internal sealed class VpsLocalService(StatusReader status, GatewaySessions sessions, Reloader reloader) : VpsLocal.VpsLocalBase
{
    public override Task<VpsStatus> GetStatus(StatusRequest request, ServerCallContext context) => Task.FromResult(status.Read());

    /// <summary>`revoke` has removed the key already; whose it was need not be told apart from others that went meanwhile.</summary>
    public override Task<EndGatewayReply> EndGateway(EndGatewayRequest request, ServerCallContext context) =>
        Task.FromResult(new EndGatewayReply { ConnectionsEnded = (uint)sessions.EndRevoked() });

    public override Task<ReloadReply> Reload(ReloadRequest request, ServerCallContext context) =>
        reloader.Reload() is { } error
            ? throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, error))
            : Task.FromResult(new ReloadReply());
}
