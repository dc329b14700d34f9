using System.Buffers;

namespace Grpc.Core;

/// <summary>
/// Where a marshaller puts a message: either <see cref="Complete(byte[])"/> alone, or
/// <see cref="SetPayloadLength"/> (optional), <see cref="GetBufferWriter"/> and <see cref="Complete()"/>.
/// </summary>
public abstract class SerializationContext
{
    public virtual void Complete(byte[] payload) => throw new NotImplementedException();

    public virtual IBufferWriter<byte> GetBufferWriter() => throw new NotImplementedException();

    public virtual void SetPayloadLength(int payloadLength) => throw new NotImplementedException();

    public virtual void Complete() => throw new NotImplementedException();
}
