using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client.Internal;

internal sealed partial class ClientCall<TRequest, TResponse>
{
    private bool _gzip;

    /// <summary>Starts a call with one request.</summary>
    public void Start(string? host, TRequest request)
    {
        HttpRequestMessage http = CreateRequest(host);
        if (!Register())
        {
            return;
        }

        try
        {
            // Not returned to the pool: the handler may send it a second time on another connection.
            OutgoingMessage message = Serialize(request, Options.WriteOptions);
            http.Content = new MessageContent(message.Frame);
        }
        catch (RpcException e)
        {
            End(e.Status);
            return;
        }

        _ = ExchangeAsync(http);
    }

    /// <summary>Starts a call with a stream of requests.</summary>
    public StreamContent Start(string? host)
    {
        HttpRequestMessage http = CreateRequest(host);
        var content = new StreamContent();
        http.Content = content;
        if (Register())
        {
            _ = ExchangeAsync(http);
        }

        return content;
    }

    /// <summary>Writes one request of a stream.</summary>
    public async Task WriteAsync(StreamContent content, TRequest request, WriteOptions? options)
    {
        using OutgoingMessage message = Serialize(request, options);
        try
        {
            Stream stream = await content.OpenAsync(_cancellation.Token);
            await stream.WriteAsync(message.Frame, _cancellation.Token);
            if (options?.Flags.HasFlag(WriteFlags.BufferHint) != true)
            {
                await stream.FlushAsync(_cancellation.Token);
            }
        }
        catch (Exception e)
        {
            // The server's answer says more than the broken stream does, if it comes.
            if (_method.Type == MethodType.ClientStreaming)
            {
                await _end.Task;
            }
            else
            {
                await _opened.Task;
            }

            bool ended;
            lock (_gate)
            {
                ended = _ended;
            }

            throw ended ? Failure() : new RpcException(ClientErrors.From(e));
        }
    }

    private OutgoingMessage Serialize(TRequest request, WriteOptions? options)
    {
        bool compress = _gzip && options?.Flags.HasFlag(WriteFlags.NoCompress) != true;
        return OutgoingMessage.Serialize(
            request,
            _method.RequestMarshaller.ContextualSerializer,
            _channel.Options.MaxSendMessageSize,
            compress ? CompressionLevel.Fastest : null);
    }

    private HttpRequestMessage CreateRequest(string? host)
    {
        var http = new HttpRequestMessage(HttpMethod.Post, new Uri(_channel.Address, _method.FullName))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        http.Headers.Host = host;
        http.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        http.Headers.TryAddWithoutValidation(GrpcProtocol.AcceptEncoding, GrpcProtocol.AcceptedEncodings);
        foreach (Metadata.Entry entry in Options.Headers ?? Metadata.Empty)
        {
            if (entry.Key != GrpcProtocol.CompressionRequest)
            {
                http.Headers.TryAddWithoutValidation(entry.Key, MetadataCodec.Encode(entry));
                continue;
            }

            if (entry.Value is not (GrpcProtocol.GZip or GrpcProtocol.Identity))
            {
                throw new InvalidOperationException($"Could not find compression provider for '{entry.Value}'.");
            }

            _gzip = entry.Value == GrpcProtocol.GZip;
        }

        http.Headers.TryAddWithoutValidation("user-agent", GrpcProtocol.UserAgent);
        if (_gzip)
        {
            http.Headers.TryAddWithoutValidation(GrpcProtocol.Encoding, GrpcProtocol.GZip);
        }

        if (Options.Deadline is { } deadline && deadline != DateTime.MaxValue)
        {
            TimeSpan left = deadline - Time.GetUtcNow().UtcDateTime;
            http.Headers.TryAddWithoutValidation(GrpcProtocol.Timeout, GrpcTimeout.Encode(left));
        }

        return http;
    }

    /// <summary>Listens to channel, deadline and caller. False: the call has ended already.</summary>
    private bool Register()
    {
        _channel.Add(this);
        if (Options.Deadline is { } deadline && deadline != DateTime.MaxValue)
        {
            if (deadline <= Time.GetUtcNow().UtcDateTime)
            {
                EndByDeadline();
                return false;
            }

            StartTimer(deadline);
        }

        _callerCancels = Options.CancellationToken.UnsafeRegister(
            static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), this);
        lock (_gate)
        {
            return !_ended;
        }
    }
}
