using System.IO.Pipelines;
using System.Net;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Pairing;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Aggregator.Vps.Listener;

/// <summary>
/// A connection that chose `h2`, as Kestrel wants it. TLS is done; what is here is the plain text.
/// (Not a DefaultConnectionContext: an abort of that one after its disposal ends the process.)
/// </summary>
internal sealed class PeerConnection : ConnectionContext, IPeerFeature
{
    private readonly TlsByteStream _stream;
    private readonly PairedGateways _gateways;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
#pragma warning disable CA2213 // Holds no timer and no handle; it may be cancelled at any time, also after the end.
    private readonly CancellationTokenSource _closed = new();
#pragma warning restore CA2213

    internal PeerConnection(string id, TlsByteStream stream, KeyPin pin, IPEndPoint remote, PairedGateways gateways)
    {
        _stream = stream;
        _gateways = gateways;
        Pin = pin;
        Address = remote.Address;
        ConnectionId = id;
        Transport = new Pipes(new PeerStream(stream));
        ConnectionClosed = _closed.Token;
        RemoteEndPoint = remote;
        LocalEndPoint = stream.Socket.LocalEndPoint;
        Features.Set<IPeerFeature>(this);
    }

    public KeyPin Pin { get; }

    public IPAddress Address { get; }

    public PairedGateway? Gateway => _gateways.TryFind(Pin, out var gateway) ? gateway : null;

    public override string ConnectionId { get; set; }

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new ConnectionItems();

    public override IDuplexPipe Transport { get; set; }

    public override CancellationToken ConnectionClosed { get; set; }

    public override EndPoint? LocalEndPoint { get; set; }

    public override EndPoint? RemoteEndPoint { get; set; }

    /// <summary>Completes when Kestrel is done with it.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>Safe at any time, from any thread.</summary>
    public override void Abort(ConnectionAbortedException abortReason)
    {
        _stream.Abort();
        _ = _closed.CancelAsync();
    }

    public override void Abort() => Abort(new ConnectionAbortedException());

    public override async ValueTask DisposeAsync()
    {
        await Transport.Input.CompleteAsync();
        await Transport.Output.CompleteAsync();
        await _stream.DisposeAsync();
        await _closed.CancelAsync();
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
