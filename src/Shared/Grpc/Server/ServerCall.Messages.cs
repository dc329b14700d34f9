using System.IO.Compression;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

internal sealed partial class ServerCall
{
    /// <summary>Guards the fields below, so that the deadline's status and a write never mix.</summary>
    private readonly Lock _gate = new();
    private readonly MessageReader _reader;
    private Exception? _readFault;
    private Task _write = Task.CompletedTask;
    private bool _sentAnything;
    private bool _ended;
    private bool _gzip;

    public IAsyncStreamReader<T> RequestStream<T>(Marshaller<T> marshaller)
        where T : class => new ServerStreamReader<T>(this, marshaller);

    public IServerStreamWriter<T> ResponseStream<T>(Marshaller<T> marshaller)
        where T : class => new ServerStreamWriter<T>(this, marshaller);

    /// <summary>The only request of a call, after which the stream must end.</summary>
    public async Task<T> ReadSingleAsync<T>(Marshaller<T> marshaller)
        where T : class
    {
        T request = await ReadAsync(marshaller, CancellationToken.None) ?? throw GrpcErrors.NoMessage();
        return await ReadAsync(marshaller, CancellationToken.None) is null ? request : throw GrpcErrors.SecondMessage();
    }

    /// <summary>The next request; null at the end.</summary>
    public async Task<T?> ReadAsync<T>(Marshaller<T> marshaller, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            if (!cancellationToken.CanBeCanceled || cancellationToken == _token)
            {
                return await _reader.ReadAsync(marshaller.ContextualDeserializer, _token);
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _token);
            return await _reader.ReadAsync(marshaller.ContextualDeserializer, either.Token);
        }
        catch (Exception e) when (e is IOException or BadHttpRequestException)
        {
            // The client reset the stream or its connection ended: not the handler's failure.
            _readFault = e;
            throw;
        }
    }

    /// <summary>The only response of a call; it leaves together with the status.</summary>
    public Task WriteSingleAsync<T>(Marshaller<T> marshaller, T? response)
        where T : class
    {
        if (response is null)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "No message returned from method."));
        }

        return Status.StatusCode == StatusCode.OK
            ? WriteAsync(marshaller, response, flush: false, CancellationToken.None)
            : Task.CompletedTask;
    }

    public Task WriteAsync<T>(Marshaller<T> marshaller, T message, bool flush, CancellationToken cancellationToken)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(message);
        if (cancellationToken.IsCancellationRequested)
        {
            return Task.FromCanceled(cancellationToken);
        }

        bool compress = _gzip && WriteOptions?.Flags.HasFlag(WriteFlags.NoCompress) != true;
        OutgoingMessage outgoing = OutgoingMessage.Serialize(
            message,
            marshaller.ContextualSerializer,
            _server.Options.MaxSendMessageSize,
            compress ? _server.Options.ResponseCompressionLevel ?? CompressionLevel.Fastest : null);
        return Send(() => SendAsync(outgoing, flush && WriteOptions?.Flags.HasFlag(WriteFlags.BufferHint) != true, cancellationToken), outgoing);
    }

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        var encoded = new List<(string Key, string Value)>();
        foreach (Metadata.Entry entry in responseHeaders)
        {
            if (entry.Key == GrpcProtocol.CompressionRequest)
            {
                _gzip = entry.Value == GrpcProtocol.GZip && ClientAcceptsGZip;
            }
            else
            {
                encoded.Add((entry.Key, MetadataCodec.Encode(entry)));
            }
        }

        return Send(
            () =>
            {
                if (_sentAnything || Http.Response.HasStarted)
                {
                    throw new InvalidOperationException("Response headers can only be sent once per call.");
                }

                SetEncodingHeader();
                foreach ((string key, string value) in encoded)
                {
                    Http.Response.Headers.Append(key, value);
                }

                _sentAnything = true;
                return Http.Response.BodyWriter.FlushAsync(_token).AsTask();
            },
            null);
    }

    private bool ClientAcceptsGZip => GrpcProtocol.AcceptsGZip(Http.Request.Headers[GrpcProtocol.AcceptEncoding]);

    private void ChooseResponseEncoding() =>
        _gzip = _server.Options.ResponseCompressionAlgorithm == GrpcProtocol.GZip && ClientAcceptsGZip;

    private void SetEncodingHeader()
    {
        if (_gzip)
        {
            Http.Response.Headers[GrpcProtocol.Encoding] = GrpcProtocol.GZip;
        }
    }

    /// <summary>Starts a write if the call is open and no other write is under way.</summary>
    private Task Send(Func<Task> write, OutgoingMessage? outgoing)
    {
        lock (_gate)
        {
            if (_ended || _token.IsCancellationRequested)
            {
                outgoing?.Dispose();
                throw new InvalidOperationException("Can't write the message because the request is complete.");
            }

            if (!_write.IsCompleted)
            {
                outgoing?.Dispose();
                throw new InvalidOperationException("Can't write the message because the previous write is in progress.");
            }

            return _write = write();
        }
    }

    private async Task SendAsync(OutgoingMessage outgoing, bool flush, CancellationToken cancellationToken)
    {
        using (outgoing)
        {
            if (!_sentAnything)
            {
                SetEncodingHeader();
                _sentAnything = true;
                await Http.Response.StartAsync(_token);
            }

            System.IO.Pipelines.PipeWriter body = Http.Response.BodyWriter;
            outgoing.Frame.Span.CopyTo(body.GetSpan(outgoing.Frame.Length));
            body.Advance(outgoing.Frame.Length);
            if (!flush)
            {
                return;
            }

            if (!cancellationToken.CanBeCanceled || cancellationToken == _token)
            {
                await body.FlushAsync(_token);
                return;
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _token);
            await body.FlushAsync(either.Token);
        }
    }
}
