using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client.Internal;

internal sealed partial class ClientCall<TRequest, TResponse>
{
    /// <summary>Zero-byte reads: a stream that waits holds no buffer.</summary>
    private static readonly StreamPipeReaderOptions BodyOptions =
        new(bufferSize: 16 * 1024, minimumReadSize: 1024, leaveOpen: true, useZeroByteReads: true);

    /// <summary>The next response; null when the server ended the stream with OK.</summary>
    public Task<TResponse?> ReadAsync() => ReadAsync(single: false);

    /// <summary>The only response of a call, and its status.</summary>
    public async Task<TResponse> ReadSingleAsync()
    {
        TResponse? response = await ReadAsync(single: true);
        if (response is not null && await ReadAsync(single: false) is null)
        {
            return response;
        }

        End(GrpcErrors.SecondMessage().Status);
        throw Failure();
    }

    private async Task<TResponse?> ReadAsync(bool single)
    {
        MessageReader? reader = await _opened.Task;
        TResponse? response = null;
        if (reader is not null && !HasEnded)
        {
            try
            {
                response = await reader.ReadAsync(_method.ResponseMarshaller.ContextualDeserializer, _cancellation.Token);
                if (response is null)
                {
                    EndByTrailers(_response!.TrailingHeaders, single);
                }
            }
            catch (Exception e)
            {
                End(ClientErrors.From(e));
            }
        }

        return response is not null || (HasEnded && GetStatus().StatusCode == StatusCode.OK) ? response : throw Failure();
    }

    private bool HasEnded
    {
        get
        {
            lock (_gate)
            {
                return _ended;
            }
        }
    }

    private async Task ExchangeAsync(HttpRequestMessage request)
    {
        try
        {
            // The request is not disposed: its body may go on for as long as the call.
            HttpResponseMessage response = await _channel.Http.SendAsync(request, _cancellation.Token);
            lock (_gate)
            {
                _response = response;
                if (_ended)
                {
                    response.Dispose();
                    return;
                }
            }

            await OpenAsync(response);
        }
        catch (Exception e)
        {
            End(ClientErrors.From(e));
        }
    }

    /// <summary>Looks at the response's headers: an error, the status itself (trailers-only), or a body with messages.</summary>
    private async Task OpenAsync(HttpResponseMessage response)
    {
        if (response.StatusCode != HttpStatusCode.OK && !response.Headers.Contains(GrpcProtocol.Status))
        {
            End(new Status(
                ClientErrors.FromHttp(response.StatusCode),
                $"Bad gRPC response. HTTP status code: {(int)response.StatusCode}"));
            return;
        }

        string? contentType = response.Content.Headers.ContentType?.ToString();
        if (!GrpcProtocol.IsGrpc(contentType))
        {
            End(new Status(StatusCode.Unknown, $"Bad gRPC response. Invalid content-type value: {contentType ?? "none"}"));
            return;
        }

        if (response.Headers.Contains(GrpcProtocol.Status))
        {
            _headers.TrySetResult([]);
            bool single = _method.Type is MethodType.Unary or MethodType.ClientStreaming;
            EndByTrailers(response.Headers, single);
            return;
        }

        Metadata headers = ToMetadata(response.Headers);
        string? encoding = response.Headers.TryGetValues(GrpcProtocol.Encoding, out IEnumerable<string>? values) ? values.First() : null;
        Stream body = await response.Content.ReadAsStreamAsync(_cancellation.Token);
        _headers.TrySetResult(headers);
        _opened.TrySetResult(new MessageReader(PipeReader.Create(body, BodyOptions), _channel.Options.MaxReceiveMessageSize, encoding));
    }

    private void EndByTrailers(HttpResponseHeaders trailers, bool messageIsDue)
    {
        Status status = StatusOf(trailers);
        if (status.StatusCode == StatusCode.OK && messageIsDue)
        {
            status = GrpcErrors.NoMessage().Status;
        }

        End(status, ToMetadata(trailers));
    }

    private static Status StatusOf(HttpResponseHeaders trailers)
    {
        if (!trailers.TryGetValues(GrpcProtocol.Status, out IEnumerable<string>? codes))
        {
            return new Status(StatusCode.Unknown, "The response ended without a grpc-status.");
        }

        string message = trailers.TryGetValues(GrpcProtocol.Message, out IEnumerable<string>? messages)
            ? PercentEncoding.Decode(messages.First())
            : "";
        string code = codes.First();
        return int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && Enum.IsDefined((StatusCode)number)
            ? new Status((StatusCode)number, message)
            : new Status(StatusCode.Unknown, $"Unexpected grpc-status value '{code}'. {message}".TrimEnd());
    }

    private static Metadata ToMetadata(HttpResponseHeaders headers)
    {
        var metadata = new Metadata();
        foreach ((string key, HeaderStringValues values) in headers.NonValidated)
        {
            foreach (string value in values)
            {
                if (!MetadataCodec.TryAdd(metadata, key, value))
                {
                    throw GrpcErrors.BadMetadata(key);
                }
            }
        }

        return metadata;
    }
}
