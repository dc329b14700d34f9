using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Relay;

namespace Aggregator.Gateway.Tests.Carriers;

/// <summary>The VPS's side of proto/flow.md on loopback: real MPTCP, TLS and bytes; the "target" is an echo, or what the target's name says.</summary>
internal sealed class FakeVps : IAsyncDisposable
{
    private readonly IdentityKey _identity;
    private readonly ConcurrentDictionary<IByteStream, Socket> _connections = new();
    private readonly bool _mptcp;
    private readonly IPAddress _address;
    private Socket _listener;
    private Task _loop;

    private FakeVps(IdentityKey identity, bool mptcp, IPAddress address)
    {
        _identity = identity;
        _mptcp = mptcp;
        _address = address;
        _listener = Listen(0);
        Port = (ushort)((IPEndPoint)_listener.LocalEndPoint!).Port;
        _loop = AcceptAsync(_listener);
    }

    internal ushort Port { get; }

    internal VpsTarget Target => new(["127.0.0.1"], Port, _identity.Pin);

    internal GreetingStatus Greeting { get; set; }

    /// <summary>For connections without cipher; null refuses them.</summary>
    internal (byte[] SessionId, byte[] Key)? Plain { get; set; }

    internal int Accepted;
    internal int PlainAccepted;
    internal int Flows;

    internal int Connections => _connections.Count;

    internal IEnumerable<IPEndPoint> Peers => _connections.Values.Select(s => (IPEndPoint)s.RemoteEndPoint!);

    internal static FakeVps Start(bool mptcp = true, IPAddress? address = null) =>
        new(IdentityKey.CreateEphemeral(), mptcp, address ?? IPAddress.Any);

    /// <summary>As a crash looks to the peers: everything is reset and nobody listens.</summary>
    internal async Task StopAsync()
    {
        _listener.Dispose();
        await _loop;
        ResetAll();
    }

    internal void ResetAll()
    {
        foreach (IByteStream stream in _connections.Keys)
        {
            stream.Abort();
        }
    }

    internal void Restart()
    {
        _listener = Listen(Port);
        _loop = AcceptAsync(_listener);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _identity.Dispose();
    }

    private Socket Listen(int port)
    {
        var local = new IPEndPoint(_address, port);
        return _mptcp ? MptcpSocket.Listen(local, 4096) : TcpSocket.Listen(local, 4096);
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                Socket socket = await listener.AcceptAsync();
                Interlocked.Increment(ref Accepted);
                _ = Task.Run(() => ServeAsync(socket));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        IByteStream? stream = null;
        try
        {
            stream = Plain is { } plain
                ? await AcceptPlainAsync(socket, plain.SessionId, plain.Key)
                : await TlsByteStream.AcceptAsync(socket, PinnedTls.ServerOptions(_identity, PinnedTls.Lane), CancellationToken.None);
            _connections.TryAdd(stream, socket);
            await FlowAsync(stream);
        }
        catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
        {
            stream?.Abort();
        }
        finally
        {
            if (stream is not null)
            {
                _connections.TryRemove(stream, out _);
                await stream.DisposeAsync();
            }
            socket.Dispose();
        }
    }

    private async Task<IByteStream> AcceptPlainAsync(Socket socket, byte[] sessionId, byte[] key)
    {
        var stream = new SocketByteStream(socket);
        byte[] preface = new byte[PlainPreface.Bytes];
        await stream.ReadExactlyAsync(preface, CancellationToken.None);
        if (!PlainPreface.TryRead(preface, out var id, out _) || !id.SequenceEqual(sessionId) || !PlainPreface.Verify(preface, key))
        {
            throw new IOException("wrong preface");
        }
        Interlocked.Increment(ref PlainAccepted);
        return stream;
    }

    private async Task FlowAsync(IByteStream stream)
    {
        byte[] buffer = new byte[16 * 1024];
        FlowProtocol.WriteGreeting(buffer, Greeting);
        await stream.WriteAsync(buffer.AsMemory(0, FlowProtocol.GreetingBytes), CancellationToken.None);
        if (Greeting == GreetingStatus.Busy)
        {
            return;
        }
        await stream.ReadExactlyAsync(buffer.AsMemory(0, FlowProtocol.OpenHeaderBytes), CancellationToken.None);
        OpenHeader header = FlowProtocol.ReadOpenHeader(buffer);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, header.TargetBytes), CancellationToken.None);
        FlowTarget target = FlowProtocol.ReadTarget(header, buffer);
        Interlocked.Increment(ref Flows);
        if (target.Name == "die")
        {
            throw new IOException("as asked");
        }
        OpenResult result = target.Name == "refused" ? OpenResult.Refused : OpenResult.Opened;
        if (target.Name == "silent")
        {
            await stream.WaitToReadAsync(CancellationToken.None);
            return;
        }
        FlowProtocol.WriteReply(buffer, new FlowReply(result, result == OpenResult.Opened ? new IPEndPoint(IPAddress.Loopback, 7) : null));
        await stream.WriteAsync(buffer.AsMemory(0, FlowProtocol.ReplyBytes), CancellationToken.None);
        int count;
        while (result == OpenResult.Opened && (count = await stream.ReadAsync(buffer, CancellationToken.None)) > 0)
        {
            await stream.WriteAsync(buffer.AsMemory(0, count), CancellationToken.None);
        }
        await stream.CompleteWritesAsync(CancellationToken.None);
    }
}
