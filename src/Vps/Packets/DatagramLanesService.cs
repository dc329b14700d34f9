using Aggregator.Datagrams;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Packets;

/// <summary>datagrams.proto</summary>
internal sealed class DatagramLanesService(PacketDesk desk, GatewaySessions sessions) : DatagramLanes.DatagramLanesBase
{
    public override async Task<OpenLanesReply> Open(OpenLanesRequest request, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the datagram lanes' service is reached through the VPS's port only");
        if (sessions.Find(peer.Pin) is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        if (RealTimePolicies.TryParse(request.Policy) is not { } policy)
        {
            throw new RpcException(new GrpcStatus(StatusCode.InvalidArgument, "the policy is none that this VPS knows: update it"));
        }

        var (reply, problem) = await desk.OpenLanesAsync(gateway, request.Session, policy, context.CancellationToken);
        return reply ?? throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, problem!));
    }
}
