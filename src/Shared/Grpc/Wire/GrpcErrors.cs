using Grpc.Core;

namespace Grpc.Wire;

/// <summary>Every way in which a peer can break the protocol, with the status that the books give it.</summary>
internal static class GrpcErrors
{
    public static RpcException ReceivedTooLarge(long length, int limit) =>
        Error(StatusCode.ResourceExhausted, $"Received message exceeds the maximum configured message size ({length} > {limit} bytes).");

    public static RpcException InflatedTooLarge(int limit) =>
        Error(StatusCode.ResourceExhausted, $"Received message exceeds the maximum configured message size after decompression ({limit} bytes).");

    public static RpcException SentTooLarge(long length, int limit) =>
        Error(StatusCode.ResourceExhausted, $"Sending message exceeds the maximum configured message size ({length} > {limit} bytes).");

    public static RpcException UnknownFlag(byte flag) =>
        Error(StatusCode.Internal, $"Unexpected compressed flag value {flag} in message header.");

    public static RpcException CompressedWithoutEncoding() =>
        Error(StatusCode.Internal, "Received a compressed message although grpc-encoding does not name a compression.");

    public static RpcException UnknownEncoding(string encoding) =>
        Error(StatusCode.Unimplemented, $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: {GrpcProtocol.AcceptedEncodings}.");

    public static RpcException Truncated() => Error(StatusCode.Internal, "Incomplete message.");

    public static RpcException BadGZip() => Error(StatusCode.Internal, "Failed to decompress a message.");

    public static RpcException Undecodable(Exception cause) =>
        Error(StatusCode.Internal, "Failed to deserialize a message.", cause);

    public static RpcException NoMessage() => Error(StatusCode.Internal, "Call ended without a message where one is due.");

    public static RpcException SecondMessage() => Error(StatusCode.Internal, "Received a second message where one is due.");

    public static RpcException BadTimeout() => Error(StatusCode.Internal, "Malformed grpc-timeout.");

    public static RpcException BadMetadata(string key) =>
        Error(StatusCode.Internal, $"The value of '{key}' is not base64.");

    private static RpcException Error(StatusCode code, string detail, Exception? cause = null) => new(new Status(code, detail, cause));
}
