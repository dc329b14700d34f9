using System.Buffers;

namespace Grpc.Wire;

/// <summary>A pooled array that grows with what arrives, not with what was announced. One owner, who disposes it.</summary>
internal sealed class PooledBytes(int capacity) : IBufferWriter<byte>, IDisposable
{
    private byte[] _array = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length { get; private set; }

    public byte[] Array => _array;

    public ReadOnlyMemory<byte> Written => _array.AsMemory(0, Length);

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _array.Length - Length);
        Length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _array.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public void Append(in ReadOnlySequence<byte> data)
    {
        int length = checked((int)data.Length);
        Reserve(length);
        data.CopyTo(_array.AsSpan(Length));
        Length += length;
    }

    /// <summary>Makes room for so many more bytes, at least doubling.</summary>
    public void Reserve(int more)
    {
        if (_array.Length - Length >= more)
        {
            return;
        }

        long wanted = Math.Max((long)Length + more, Math.Min(_array.Length * 2L, System.Array.MaxLength));
        byte[] larger = ArrayPool<byte>.Shared.Rent(checked((int)wanted));
        _array.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_array);
        _array = larger;
    }

    public void Dispose()
    {
        byte[] array = _array;
        _array = [];
        Length = 0;
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
