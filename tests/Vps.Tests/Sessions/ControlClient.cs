using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Aggregator.Vps.Tests.Sessions;

/// <summary>A gateway's control session.</summary>
internal sealed class ControlClient : IAsyncDisposable
{
    private readonly GrpcChannel _channel;
    private readonly AsyncDuplexStreamingCall<GatewayMessage, VpsMessage> _call;
    private bool _disposed;

    private ControlClient(GrpcChannel channel, AsyncDuplexStreamingCall<GatewayMessage, VpsMessage> call, Welcome welcome)
    {
        _channel = channel;
        _call = call;
        Welcome = welcome;
    }

    internal Welcome Welcome { get; }

    internal static async Task<ControlClient> ConnectAsync(VpsUnderTest vps, IdentityKey key, CancellationToken cancellationToken)
    {
        var channel = vps.Channel(key);
        try
        {
            var call = new Control.ControlClient(channel).Session(cancellationToken: cancellationToken);
            await call.RequestStream.WriteAsync(
                new GatewayMessage { Hello = new Hello { Version = "1.2.3", FlowProtocol = FlowProtocol.Version } }, cancellationToken);
            await call.ResponseStream.MoveNext(cancellationToken);
            return new ControlClient(channel, call, call.ResponseStream.Current.Welcome);
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    internal async Task<ulong> PingAsync(ulong sequence, CancellationToken cancellationToken)
    {
        await _call.RequestStream.WriteAsync(new GatewayMessage { Ping = new Ping { Sequence = sequence } }, cancellationToken);
        await _call.ResponseStream.MoveNext(cancellationToken);
        return _call.ResponseStream.Current.Pong.Sequence;
    }

    internal Task<bool> NextAsync(CancellationToken cancellationToken) => _call.ResponseStream.MoveNext(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            await Task.Yield();
            _call.Dispose();
            _channel.Dispose();
        }
    }
}
