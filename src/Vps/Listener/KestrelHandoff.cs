using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Aggregator.Vps.Listener;

/// <summary>Where Kestrel listens for what comes through the port: no address, a queue.</summary>
internal sealed class HandoffEndPoint : EndPoint
{
    internal static readonly HandoffEndPoint Instance = new();

    public override string ToString() => "port";
}

/// <summary>Hands connections over to Kestrel that were accepted and authenticated elsewhere.</summary>
internal sealed class KestrelHandoff : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <summary>Kestrel takes them at once; so many may wait in a busy moment. One for each pairing and gateway, so few there are.</summary>
    private const int MaxWaiting = 64;

    private readonly Channel<ConnectionContext> _connections = Channel.CreateBounded<ConnectionContext>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.Wait });

    public bool CanBind(EndPoint endpoint) => endpoint is HandoffEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new(new Listener(_connections));

    /// <returns>False: too many wait, or the server has stopped. The connection is still the caller's.</returns>
    internal bool TryHandOver(ConnectionContext connection) => _connections.Writer.TryWrite(connection);

    private sealed class Listener(Channel<ConnectionContext> connections) : IConnectionListener
    {
        public EndPoint EndPoint => HandoffEndPoint.Instance;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
            await connections.Reader.WaitToReadAsync(cancellationToken) && connections.Reader.TryRead(out var connection) ? connection : null;

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            connections.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            connections.Writer.TryComplete();
            while (connections.Reader.TryRead(out var connection))
            {
                await connection.DisposeAsync();
            }
        }
    }
}
