using System.Buffers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// The bytes of a client's request, from the first that came, in one piece and bounded. A buffer is taken when the first bytes are there, not before,
/// and grows with what came: a connection that says nothing holds none, and who wants us to hold much must send much.
/// </summary>
internal sealed class HandshakeBuffer(int maxBytes) : IDisposable
{
    /// <summary>The whole of a usual request.</summary>
    private const int FirstBytes = 512;

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
        await stream.WaitToReadAsync(cancellationToken);
        MakeRoom();
        int limit = Math.Min(_bytes!.Length, maxBytes);
        int count = await stream.ReadAsync(_bytes.AsMemory(_end, limit - _end), cancellationToken);
        _end += count;
        return count == 0 ? FillResult.Ended : FillResult.Filled;
    }

    /// <summary>The first <paramref name="count"/> unread bytes were understood.</summary>
    internal void Consume(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_end - _start));
        _start += count;
    }

    private void MakeRoom()
    {
        if (_bytes is not { } bytes)
        {
            _bytes = ArrayPool<byte>.Shared.Rent(Math.Min(FirstBytes, maxBytes));
            return;
        }
        int length = _end - _start;
        if (_end < Math.Min(bytes.Length, maxBytes))
        {
            return;
        }
        // Full to the end: over the consumed part where there is one, else into twice the room.
        byte[] roomier = _start > 0 ? bytes : ArrayPool<byte>.Shared.Rent(Math.Min(2 * bytes.Length, maxBytes));
        bytes.AsSpan(_start, length).CopyTo(roomier);
        if (roomier != bytes)
        {
            Release(bytes, _end);
        }
        (_bytes, _start, _end) = (roomier, 0, length);
    }

    // User names and passwords went through it.
    private static void Release(byte[] bytes, int used)
    {
        bytes.AsSpan(0, used).Clear();
        ArrayPool<byte>.Shared.Return(bytes);
    }

    public void Dispose()
    {
        if (_bytes is { } bytes)
        {
            Release(bytes, _end);
            _bytes = null;
            _start = _end = 0;
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
