using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Tests.Ingress;

/// <summary>Dials targets itself, in place of a VPS, so that ingress can be tried with real programs and nothing else.</summary>
internal sealed class DirectCarrier : ICarrier
{
    /// <summary>Where sockets are made: in another namespace for some tests.</summary>
    internal Func<AddressFamily, Socket> Make { get; init; } = family => new Socket(family, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Names that exist.</summary>
    internal ConcurrentDictionary<string, IPAddress> Names { get; } = new();

    /// <summary>An answer instead of a dial.</summary>
    internal Func<FlowTarget, OpenResult?> Refuse { get; init; } = _ => null;

    /// <summary>What opens wait for.</summary>
    internal Func<Task> Before { get; init; } = () => Task.CompletedTask;

    internal ConcurrentQueue<(FlowTarget Target, byte[] FirstBytes)> Opens { get; } = new();

    public string Name => "direct";

    public ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        byte[] first = firstBytes.ToArray();
        Opens.Enqueue((target, first));
        if (Refuse(target) is { } result)
        {
            return new(new CarriedFlow(null, Task.FromResult(new OpenReply(result, null))));
        }
        if ((target.Address ?? Names.GetValueOrDefault(target.Name!)) is not { } address)
        {
            return new(new CarriedFlow(null, Task.FromResult(new OpenReply(OpenResult.NameNotFound, null))));
        }
        var stream = new LateStream(Make(address.AddressFamily));
        Task<OpenReply> opened = ConnectAsync(stream, new IPEndPoint(address, target.Port), first);
        return new(new CarriedFlow(stream, opened));
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<OpenReply> ConnectAsync(LateStream stream, IPEndPoint remote, byte[] first)
    {
        try
        {
            await Before();
            await stream.Inner.Socket.ConnectAsync(remote);
            await stream.Inner.WriteAsync(first, CancellationToken.None);
            stream.Connected.SetResult();
            return new OpenReply(OpenResult.Opened, (IPEndPoint)stream.Inner.Socket.LocalEndPoint!);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            stream.Connected.TrySetException(new IOException(e.Message));
            return new OpenReply((e as SocketException)?.SocketErrorCode == SocketError.ConnectionRefused ? OpenResult.Refused : OpenResult.HostUnreachable, null);
        }
    }

    /// <summary>Takes writes from the start, as a carrier does, and holds them until it is connected.</summary>
    private sealed class LateStream(Socket socket) : IByteStream
    {
        internal SocketByteStream Inner { get; } = new(socket);

        internal TaskCompletionSource Connected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask WaitToReadAsync(CancellationToken cancellationToken) => Inner.WaitToReadAsync(cancellationToken);

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => Inner.ReadAsync(buffer, cancellationToken);

        public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
        {
            await Connected.Task;
            await Inner.WriteAsync(buffer, cancellationToken);
        }

        public async ValueTask CompleteWritesAsync(CancellationToken cancellationToken)
        {
            await Connected.Task;
            await Inner.CompleteWritesAsync(cancellationToken);
        }

        public void Abort() => Inner.Abort();

        public ValueTask DisposeAsync() => Inner.DisposeAsync();
    }
}
