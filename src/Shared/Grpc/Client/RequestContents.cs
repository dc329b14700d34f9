using System.Net;
using System.Net.Http.Headers;
using Grpc.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>The body of a call with one request. Can be sent again on another connection.</summary>
internal sealed class MessageContent : HttpContent
{
    private readonly ReadOnlyMemory<byte> _frame;

    public MessageContent(ReadOnlyMemory<byte> frame)
    {
        _frame = frame;
        Headers.ContentType = new MediaTypeHeaderValue(GrpcProtocol.ContentType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        stream.WriteAsync(_frame, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        // gRPC frames its messages itself and sends no content-length.
        length = 0;
        return false;
    }
}

/// <summary>The body of a call with a stream of requests: hands its stream to the writer, and ends when the writer says so.</summary>
internal sealed class StreamContent : HttpContent
{
    private readonly Lock _gate = new();

    /// <summary>Continues inline: the end of the stream is on its way when <see cref="Complete"/> returns, so that a
    /// caller who disposes the call right after it does not reset a stream that he has ended.</summary>
    private readonly TaskCompletionSource _complete = new();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Stream? _stream;
    private bool _written;

    public StreamContent() => Headers.ContentType = new MediaTypeHeaderValue(GrpcProtocol.ContentType);

    /// <summary>No more messages.</summary>
    public void Complete() => _complete.TrySetResult();

    /// <summary>The stream to write to, as soon as there is one. From the first use on the call cannot move to another connection.</summary>
    public async ValueTask<Stream> OpenAsync(CancellationToken cancellationToken)
    {
        await _opened.Task.WaitAsync(cancellationToken);
        lock (_gate)
        {
            _written = true;
            return _stream!;
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The request headers leave with the first flush; the server may answer before the first message.
        await stream.FlushAsync(cancellationToken);
        lock (_gate)
        {
            if (_written)
            {
                throw new IOException("The connection was lost after messages of this call had been sent.");
            }

            _stream = stream;
            _opened.TrySetResult();
        }

        await _complete.Task.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
