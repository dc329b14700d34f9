using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>Settings of a channel.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>Null: no limit, which is the default.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Null: no limit. Default: 4 MiB, after decompression.</summary>
    public int? MaxReceiveMessageSize { get; set; } = GrpcProtocol.DefaultMaxMessageBytes;

    /// <summary>Connects and speaks HTTP/2; TLS and Unix sockets are set there. Default: one of the channel's own.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Whether <see cref="HttpHandler"/> ends with the channel.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>Calls that the client cancels, or whose deadline passes, throw <see cref="OperationCanceledException"/>.</summary>
    public bool ThrowOperationCanceledOnCancellation { get; set; }
}
