using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Ingress;

/// <summary>What all ways in have that take clients' TCP connections: a listener and its loop. What a connection is, each knows by itself.</summary>
internal abstract class TcpIngress(string name, IPEndPoint listen, bool transparent, IngressContext context) : IIngress
{
    private AcceptLoop? _loop;

    public string Name => name;

    public IPEndPoint? LocalEndPoint { get; private set; }

    protected IngressContext Context => context;

    /// <summary>For a client's socket, at the moment of asking.</summary>
    protected Func<int> ReceiveBufferBytes { get; } = () => ClientSocket.ReceiveBufferBytes(context.Flows.Active);

    public ValueTask<StartResult> StartAsync(CancellationToken cancellationToken)
    {
        Socket? socket = ListenSocket.TryOpen(name, listen, context.Limits.Backlog, transparent, out string? error);
        if (socket is not null)
        {
            LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
            context.Logger.Listening(name, LocalEndPoint);
            _loop = new AcceptLoop(name, socket, ServeAsync, context);
        }

        return new(new StartResult(error));
    }

    public ValueTask DisposeAsync() => _loop?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>One connection, to its end.</summary>
    protected abstract Task ServeAsync(Socket socket, CancellationToken stopping);
}
