using System.Buffers;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>One message for its marshaller. The bytes are a buffer's that is used again afterwards.</summary>
internal sealed class ReceivedMessage(ReadOnlySequence<byte> payload) : DeserializationContext
{
    public override int PayloadLength => (int)payload.Length;

    public override byte[] PayloadAsNewBuffer() => payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => payload;
}
