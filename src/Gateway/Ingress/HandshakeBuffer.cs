using System.Buffers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// The bytes of a client's request, from the first that came, in one piece and bounded. A buffer is taken when the first bytes are there, not before:
/// a connection that says nothing holds none.
/// </summary>
internal sealed class HandshakeBuffer(int maxBytes) : IDisposable
{
    private byte[]? _bytes;
    private int _start;
    private int _end;

    /// <summary>Received and not consumed. Valid until the next call.</summary>
    internal ReadOnlyMemory<byte> Unread => _bytes.AsMemory(_start, _end - _start);

    /// <summary>Adds what <paramref name="stream"/> has, at least a byte.</summary>
    /// <exception cref="IOException">The transport failed.</exception>
    internal async ValueTask<FillResult> FillAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        if (_end - _start >= maxBytes)
        {
            return FillResult.Full;
        }
        if (_bytes is null)
        {
            await stream.WaitToReadAsync(cancellationToken);
            _bytes = ArrayPool<byte>.Shared.Rent(maxBytes);
        }
        else if (_end >= maxBytes)
        {
            _bytes.AsSpan(_start.._end).CopyTo(_bytes);
            _end -= _start;
            _start = 0;
        }
        int count = await stream.ReadAsync(_bytes.AsMemory(_end, maxBytes - _end), cancellationToken);
        _end += count;
        return count == 0 ? FillResult.Ended : FillResult.Filled;
    }

    /// <summary>The first <paramref name="count"/> unread bytes were understood.</summary>
    internal void Consume(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_end - _start));
        _start += count;
    }

    public void Dispose()
    {
        if (_bytes is { } bytes)
        {
            // User names and passwords went through it.
            bytes.AsSpan(0, _end).Clear();
            _bytes = null;
            _start = _end = 0;
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }
}

internal enum FillResult
{
    Filled,

    /// <summary>The client has ended its direction.</summary>
    Ended,

    /// <summary>The bound is reached and the request still not complete.</summary>
    Full,
}
