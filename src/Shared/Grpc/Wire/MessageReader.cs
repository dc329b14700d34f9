using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>
/// Takes messages off a request or response body. A message that is there as a whole is parsed in place; a larger one
/// is gathered in one buffer that grows with the bytes that arrive, up to the length that was checked against the limit.
/// Nothing is read ahead of the caller, so a slow reader holds the peer back through HTTP/2's windows. A read that was
/// cancelled can be tried again: what had arrived is kept.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A half-read message is left to the collector: a read may be under way when its call ends.")]
internal sealed class MessageReader(PipeReader body, int? maxBytes, string? encoding)
{
    private const int FirstBufferBytes = 16 * 1024;

    /// <summary>Header and first bytes of a message that has not arrived as a whole.</summary>
    private MessageHeader _header;
    private PooledBytes? _partial;

    /// <summary>The next message; null at the end of the body.</summary>
    /// <exception cref="RpcException">The peer broke the protocol or a limit (<see cref="GrpcErrors"/>).</exception>
    public async ValueTask<T?> ReadAsync<T>(Func<DeserializationContext, T> deserialize, CancellationToken cancellationToken)
        where T : class
    {
        while (true)
        {
            ReadResult read = await body.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> data = read.Buffer;
            SequencePosition consumed = data.Start;
            SequencePosition examined = data.End;
            try
            {
                if (_partial is null && TryReadHeader(ref data))
                {
                    consumed = data.Start;
                    if (data.Length >= _header.Length)
                    {
                        consumed = examined = data.GetPosition(_header.Length);
                        return Decode(data.Slice(0, _header.Length), deserialize);
                    }

                    _partial = new PooledBytes((int)Math.Clamp(_header.Length, 1, FirstBufferBytes));
                }

                if (_partial is not null)
                {
                    ReadOnlySequence<byte> part = data.Slice(0, Math.Min(data.Length, _header.Length - _partial.Length));
                    _partial.Append(part);
                    consumed = examined = part.End;
                    if (_partial.Length == _header.Length)
                    {
                        using PooledBytes message = _partial;
                        _partial = null;
                        return Decode(new ReadOnlySequence<byte>(message.Written), deserialize);
                    }
                }

                if (read.IsCompleted)
                {
                    return data.IsEmpty && _partial is null ? null : throw GrpcErrors.Truncated();
                }
            }
            finally
            {
                body.AdvanceTo(consumed, examined);
            }

            if (read.IsCanceled)
            {
                throw new OperationCanceledException("The read was cancelled.");
            }
        }
    }

    private bool TryReadHeader(ref ReadOnlySequence<byte> data)
    {
        if (!MessageHeader.TryRead(data, out MessageHeader header))
        {
            return false;
        }

        header.Check(maxBytes, encoding);
        _header = header;
        data = data.Slice(MessageHeader.Size);
        return true;
    }

    private T Decode<T>(in ReadOnlySequence<byte> payload, Func<DeserializationContext, T> deserialize)
        where T : class
    {
        if (!_header.IsCompressed)
        {
            return Deserialize(payload, deserialize);
        }

        using var compressed = new PooledBytes(Math.Max((int)payload.Length, 1));
        compressed.Append(payload);
        using PooledBytes inflated = GZip.Inflate(compressed.Array, compressed.Length, maxBytes);
        return Deserialize(new ReadOnlySequence<byte>(inflated.Written), deserialize);
    }

    private static T Deserialize<T>(in ReadOnlySequence<byte> payload, Func<DeserializationContext, T> deserialize)
    {
        try
        {
            return deserialize(new ReceivedMessage(payload));
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw GrpcErrors.Undecodable(e);
        }
    }
}
