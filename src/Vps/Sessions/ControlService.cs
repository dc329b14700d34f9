using Aggregator.Vps.Pairing;
using Aggregator.Cli;
using Aggregator.Flows;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Configuration;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using GrpcStatus = Grpc.Core.Status;

namespace Aggregator.Vps.Sessions;

/// <summary>The control session: one call for as long as the gateway is connected (control.proto).</summary>
internal sealed class ControlService(
    GatewaySessions sessions,
    PlainSessions plainSessions,
    VpsConfigSource config,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<ControlService> logger) : Control.ControlBase
{
    /// <summary>A text of the peer's that goes to logs and status.</summary>
    private const int MaxVersionLength = 64;

    public override async Task Session(
        IAsyncStreamReader<GatewayMessage> requestStream, IServerStreamWriter<VpsMessage> responseStream, ServerCallContext context)
    {
        var peer = context.GetHttpContext().Features.Get<IPeerFeature>()
            ?? throw new InvalidOperationException("the control service is reached through the VPS's port only");
        if (sessions.Find(peer.Pin) is not { } gateway)
        {
            throw new RpcException(new GrpcStatus(StatusCode.Unauthenticated, "this gateway is not paired"));
        }

        // Kestrel would wait for this call's end, which never comes by itself, and the gateway would take us for alive meanwhile.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var cancellation = ending.Token;
        if (!await requestStream.MoveNext(cancellation) || requestStream.Current.Hello is not { } hello)
        {
            throw new RpcException(new GrpcStatus(StatusCode.InvalidArgument, "the first message is Hello"));
        }

        if (hello.FlowProtocol < FlowProtocol.Version)
        {
            throw new RpcException(new GrpcStatus(
                StatusCode.FailedPrecondition, $"this VPS speaks flow protocol {FlowProtocol.Version} and later; update the gateway"));
        }

        var plain = config.Current.AllowPlain ? plainSessions.Create(peer.Pin) : null;
        var session = new ControlSession(Printable(hello.Version), peer.Address, time.GetTimestamp());
        gateway.EnterControl(session);
        logger.GatewayConnected(gateway.Name, peer.Address, session.Version);
        string reason = "it ended the session";
        try
        {
            await responseStream.WriteAsync(new VpsMessage { Welcome = WelcomeOf(plain) }, cancellation);
            while (await requestStream.MoveNext(cancellation))
            {
                if (requestStream.Current.Ping is not { } ping)
                {
                    throw new RpcException(new GrpcStatus(StatusCode.InvalidArgument, "only Ping follows Hello"));
                }

                await responseStream.WriteAsync(new VpsMessage { Pong = new Pong { Sequence = ping.Sequence } }, cancellation);
            }
        }
        catch (Exception e) when (lifetime.ApplicationStopping.IsCancellationRequested && e is OperationCanceledException or IOException or RpcException)
        {
            reason = "this VPS ends";
            throw new RpcException(new GrpcStatus(StatusCode.Unavailable, "the VPS ends, or starts again"));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            reason = "the connection ended";
        }
        finally
        {
            // First the key: whoever sees that the session has ended finds it gone.
            if (plain is not null)
            {
                plainSessions.Remove(plain);
            }

            gateway.LeaveControl(session);
            logger.GatewayDisconnected(gateway.Name, reason);
        }
    }

    private static Welcome WelcomeOf(PlainSession? plain) => new()
    {
        Version = ProductVersion.Text,
        FlowProtocol = FlowProtocol.Version,
        SessionId = plain is null ? ByteString.Empty : ByteString.CopyFrom(plain.Id),
        PlainKey = plain is null ? ByteString.Empty : ByteString.CopyFrom(plain.Key),
        MptcpEnabled = MptcpState.IsEnabled(),
    };

    private static string Printable(string text) =>
        new([.. text.Take(MaxVersionLength).Select(c => char.IsAscii(c) && !char.IsControl(c) ? c : '?')]);
}
