using System.IO.Compression;
using Grpc.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>Settings of all gRPC services of a host.</summary>
public class GrpcServiceOptions
{
    /// <summary>Null: no limit, which is the default.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Null: no limit. Default: 4 MiB, after decompression.</summary>
    public int? MaxReceiveMessageSize { get; set; } = GrpcProtocol.DefaultMaxMessageBytes;

    /// <summary>Whether clients see the text of unexpected exceptions. Default: no.</summary>
    public bool? EnableDetailedErrors { get; set; }

    /// <summary><c>gzip</c>: responses are compressed for the clients that take it. Default: none are.</summary>
    public string? ResponseCompressionAlgorithm { get; set; }

    public CompressionLevel? ResponseCompressionLevel { get; set; }

    /// <summary>True: a path that is no known service is left to the rest of the application. Default: UNIMPLEMENTED.</summary>
    public bool? IgnoreUnknownServices { get; set; }
}
