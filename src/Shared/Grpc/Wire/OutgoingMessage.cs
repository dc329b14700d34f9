using System.Buffers;
using System.IO.Compression;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>A message with its header, in a pooled buffer, ready for the wire.</summary>
internal sealed class OutgoingMessage : IDisposable
{
    private readonly PooledBytes _bytes;

    private OutgoingMessage(PooledBytes bytes) => _bytes = bytes;

    public ReadOnlyMemory<byte> Frame => _bytes.Written;

    /// <exception cref="RpcException">RESOURCE_EXHAUSTED: larger than <paramref name="maxBytes"/> before compression.</exception>
    public static OutgoingMessage Serialize<T>(
        T message, Action<T, SerializationContext> serializer, int? maxBytes, CompressionLevel? gzip)
    {
        var context = new Context(maxBytes);
        try
        {
            serializer(message, context);
            context.Seal();
            if (gzip is not { } level)
            {
                return new OutgoingMessage(context.Take());
            }

            var compressed = new PooledBytes(MessageHeader.Size + 256);
            compressed.Advance(MessageHeader.Size);
            GZip.Compress(context.Payload, compressed, level);
            new MessageHeader(1, (uint)(compressed.Length - MessageHeader.Size)).Write(compressed.Array);
            return new OutgoingMessage(compressed);
        }
        finally
        {
            context.Dispose();
        }
    }

    public void Dispose() => _bytes.Dispose();

    private sealed class Context(int? maxBytes) : SerializationContext, IDisposable
    {
        private const int DefaultBytes = 256;

        private PooledBytes? _bytes;
        private bool _complete;

        public ReadOnlySpan<byte> Payload => _bytes!.Written.Span[MessageHeader.Size..];

        public override void SetPayloadLength(int payloadLength)
        {
            CheckLimit(payloadLength);
            Open(payloadLength);
        }

        public override IBufferWriter<byte> GetBufferWriter() => Open(DefaultBytes);

        public override void Complete() => _complete = true;

        public override void Complete(byte[] payload)
        {
            CheckLimit(payload.Length);
            Open(payload.Length).Write(payload);
            _complete = true;
        }

        public void Seal()
        {
            if (!_complete)
            {
                throw new InvalidOperationException("The marshaller did not complete its message.");
            }

            PooledBytes bytes = Open(0);
            int length = bytes.Length - MessageHeader.Size;
            CheckLimit(length);
            new MessageHeader(0, (uint)length).Write(bytes.Array);
        }

        public PooledBytes Take()
        {
            PooledBytes bytes = _bytes!;
            _bytes = null;
            return bytes;
        }

        public void Dispose() => _bytes?.Dispose();

        private PooledBytes Open(int payloadBytes)
        {
            if (_bytes is null)
            {
                _bytes = new PooledBytes(checked(MessageHeader.Size + payloadBytes));
                _bytes.Advance(MessageHeader.Size);
            }

            return _bytes;
        }

        private void CheckLimit(int length)
        {
            if (maxBytes is { } limit && length > limit)
            {
                throw GrpcErrors.SentTooLarge(length, limit);
            }
        }
    }
}
