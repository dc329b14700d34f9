using System.Collections.Immutable;
using System.Net;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Pairing;
using Aggregator.Vps.Sessions;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Packets;

/// <summary>packets.proto</summary>
internal sealed class PacketsService(PacketDesk desk, GatewaySessions sessions) : Protocol.V1.Packets.PacketsBase
{
    private const int MaxNetworks = 64;

    /// <summary>What a home may have: private ranges, carriers' NAT, and public IPv6 prefixes (answers to these go by the gateway's own table).</summary>
    private static readonly ImmutableArray<IPNetwork> Private =
    [
        IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("fc00::/7"), IPNetwork.Parse("2000::/3"),
    ];

    public override async Task<AttachReply> Attach(AttachRequest request, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the packets service is reached through the VPS's port only");
        if (sessions.Find(peer.Pin) is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        if (request.Networks.Count > MaxNetworks || Read(request) is not { } networks)
        {
            throw new RpcException(new GrpcStatus(
                StatusCode.InvalidArgument, $"networks are at most {MaxNetworks} prefixes of private IPv4 ranges or of IPv6, without bits behind the prefix"));
        }

        var (reply, problem) = await desk.AttachAsync(gateway, networks, context.CancellationToken);
        return reply ?? throw new RpcException(new GrpcStatus(StatusCode.FailedPrecondition, problem!));
    }

    private static ImmutableArray<IPNetwork>? Read(AttachRequest request)
    {
        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        foreach (string text in request.Networks)
        {
            if (!IPNetwork.TryParse(text, out var network) || !Private.Any(p => p.PrefixLength <= network.PrefixLength && p.Contains(network.BaseAddress)))
            {
                return null;
            }

            networks.Add(network);
        }

        return networks.Count == 0 ? null : networks.ToImmutable();
    }
}
