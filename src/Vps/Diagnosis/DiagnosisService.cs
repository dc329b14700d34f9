using System.Net;
using System.Net.Sockets;
using Aggregator.Cli;
using Aggregator.Doctor;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Aggregator.Vps.Pairing;
using Google.Protobuf;
using Grpc.Core;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Diagnosis;

/// <summary>What a paired gateway's doctor asks (doctor.proto).</summary>
internal sealed class DiagnosisService(EchoDesk desk, TimeProvider time) : Protocol.V1.Diagnosis.DiagnosisBase
{
    public override Task<ObserveReply> Observe(ObserveRequest request, ServerCallContext context)
    {
        var connection = context.GetHttpContext().Connection;
        return Task.FromResult(new ObserveReply
        {
            Address = ByteString.CopyFrom(EchoDatagram.Plain(connection.RemoteIpAddress ?? IPAddress.None).GetAddressBytes()),
            Port = (uint)connection.RemotePort,
            UnixTimeMs = time.GetUtcNow().ToUnixTimeMilliseconds(),
            Version = ProductVersion.Text,
        });
    }

    public override Task<OpenEchoReply> OpenEcho(OpenEchoRequest request, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>();
        if (peer?.Gateway is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        try
        {
            var pair = desk.TryOpen(peer.Pin, gateway.Name, OwnAddress(context))
                ?? throw new RpcException(new GrpcStatus(StatusCode.ResourceExhausted, "a doctor of this gateway is at work already; try again in ten seconds"));
            return Task.FromResult(new OpenEchoReply
            {
                Token = ByteString.CopyFrom(pair.Token),
                FirstPort = (uint)pair.FirstPort,
                SecondPort = (uint)pair.SecondPort,
                LifetimeMs = (uint)EchoDesk.Lifetime.TotalMilliseconds,
            });
        }
        catch (SocketException e)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, $"no UDP port can be opened ({Reason.Of(e)})"));
        }
    }

    public override async Task<FetchOwnWebReply> FetchOwnWeb(FetchOwnWebRequest request, ServerCallContext context)
    {
        if (Values.Host(request.Host) is not { Value: { } host })
        {
            throw new RpcException(new GrpcStatus(StatusCode.InvalidArgument, "`host` is no host's name or address"));
        }

        var answer = await OwnWeb.FetchAsync(OwnAddress(context), HttpProbe.HostOf(host), time, context.CancellationToken);
        var reply = new FetchOwnWebReply();
        if (answer is not null)
        {
            reply.Status = (uint)answer.Status;
            reply.Location = answer.Location;
        }

        return reply;
    }

    private static IPAddress OwnAddress(ServerCallContext context) => context.GetHttpContext().Connection.LocalIpAddress is { } address
        ? EchoDatagram.Plain(address)
        : throw new RpcException(new GrpcStatus(StatusCode.Internal, "the connection has no address of ours"));
}
