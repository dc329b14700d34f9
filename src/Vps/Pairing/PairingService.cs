using Aggregator.Cli;
using Aggregator.Protocol.V1;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Pairing;

/// <summary>The one service that a peer whose key is not known may call.</summary>
internal sealed class PairingService(PairingDesk desk) : Protocol.V1.Pairing.PairingBase
{
    public override Task<PairReply> Pair(PairRequest request, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the pairing service is reached through the VPS's port only");
        var (outcome, gateway) = desk.Pair(request.Proof.Span, request.Name, peer.Pin, peer.Address);
        return outcome switch
        {
            PairingOutcome.Paired => Task.FromResult(new PairReply { GatewayName = gateway!.Name, VpsVersion = ProductVersion.Text }),
            PairingOutcome.TooManyTries => throw Error(StatusCode.ResourceExhausted, "too many wrong tries from this address; try again in a minute"),
            PairingOutcome.Refused => throw Error(StatusCode.PermissionDenied, "the code is wrong, was used or has expired"),
            _ => throw Error(StatusCode.Internal, "the VPS could not store the pairing; its log says why"),
        };
    }

    private static RpcException Error(StatusCode code, string detail) => new(new GrpcStatus(code, detail));
}
