using System.Globalization;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.AspNetCore.Server.Internal;

internal sealed partial class ServerCall
{
    /// <summary>Ends the call with the handler's result, unless the deadline has ended it.</summary>
    private async Task FinishAsync(Status status)
    {
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            _ended = true;
        }

        var encoded = new List<(string Key, string Value)>();
        try
        {
            foreach (Metadata.Entry trailer in _trailers)
            {
                encoded.Add((trailer.Key, MetadataCodec.Encode(trailer)));
            }
        }
        catch (InvalidOperationException e)
        {
            _server.Log.HandlerFailed(e, Method);
            encoded.Clear();
            status = new Status(StatusCode.Unknown, HandlerFailed, e);
        }

        await SendStatusAsync(status, encoded);
    }

    /// <summary>
    /// Status and trailers go to HTTP's trailers, or, when nothing has been sent, to its headers: the trailers-only form,
    /// one frame for the whole answer.
    /// </summary>
    private async Task SendStatusAsync(Status status, List<(string Key, string Value)> trailers)
    {
        // A write that the handler has not awaited goes first; if it failed, its task says so to whoever holds it.
        await ((Task)_write).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        IHeaderDictionary destination = Http.Response.Headers;
        if (_sentAnything || Http.Response.HasStarted)
        {
            destination = Http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers
                ?? throw new InvalidOperationException("The server's transport has no trailers.");
        }

        destination[GrpcProtocol.Status] = ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture);
        if (!string.IsNullOrEmpty(status.Detail))
        {
            destination[GrpcProtocol.Message] = PercentEncoding.Encode(status.Detail);
        }

        foreach ((string key, string value) in trailers)
        {
            destination.Append(key, value);
        }
    }
}
