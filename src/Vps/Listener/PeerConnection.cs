using System.IO.Pipelines;
using System.Net;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Pairing;
using Microsoft.AspNetCore.Connections;

namespace Aggregator.Vps.Listener;

/// <summary>A connection that chose `h2`, as Kestrel wants it. TLS is done; what is here is the plain text.</summary>
internal sealed class PeerConnection : DefaultConnectionContext, IPeerFeature
{
    private readonly TlsByteStream _stream;
    private readonly PairedGateways _gateways;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal PeerConnection(string id, TlsByteStream stream, KeyPin pin, IPEndPoint remote, PairedGateways gateways)
        : base(id, new Pipes(stream.Tls), new Pipes(Stream.Null))
    {
        _stream = stream;
        _gateways = gateways;
        Pin = pin;
        Address = remote.Address;
        RemoteEndPoint = remote;
        LocalEndPoint = stream.Socket.LocalEndPoint;
        Features.Set<IPeerFeature>(this);
    }

    public KeyPin Pin { get; }

    public IPAddress Address { get; }

    public PairedGateway? Gateway => _gateways.TryFind(Pin, out var gateway) ? gateway : null;

    /// <summary>Completes when Kestrel is done with it.</summary>
    internal Task Ended => _ended.Task;

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _stream.Abort();
        base.Abort(abortReason);
    }

    public override async ValueTask DisposeAsync()
    {
        await Transport.Input.CompleteAsync();
        await Transport.Output.CompleteAsync();
        await _stream.DisposeAsync();
        await base.DisposeAsync();
        _ended.TrySetResult();
    }

    private sealed class Pipes(Stream stream) : IDuplexPipe
    {
        // Leave open: the stream is closed by its owner. Small buffers: control messages are; a read of nothing waits without one.
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true, useZeroByteReads: true));

        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
    }
}
