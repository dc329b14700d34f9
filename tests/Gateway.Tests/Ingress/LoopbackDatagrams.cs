using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Ingress;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Datagrams over loopback, in place of a VPS.</summary>
internal sealed class LoopbackDatagrams : IDatagramWay
{
    internal DatagramWayState State { get; set; } = DatagramWayState.Ready;

    public ValueTask<DatagramWayState> PrepareAsync(CancellationToken cancellationToken) => new(State);

    internal ConcurrentDictionary<string, IPAddress> Names { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>What every question for a name waits for.</summary>
    internal Func<Task> Before { get; init; } = () => Task.CompletedTask;

    internal ConcurrentQueue<string> Asked { get; } = new();

    public Socket Open(AddressFamily family)
    {
        var socket = new Socket(family, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(family == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback, 0));
        return socket;
    }

    public async Task<IPAddress?> FindAsync(string name, CancellationToken cancellationToken)
    {
        Asked.Enqueue(name);
        await Before().WaitAsync(cancellationToken);
        return Names.GetValueOrDefault(name);
    }
}
