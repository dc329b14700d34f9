using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <summary>
/// A lane's DATAGRAM frames out of one read: those that lie in it whole are only noted, the one that a read ends in is kept. Filled under the session's
/// lock, emptied by the same lane's thread after it. Holds a buffer only while a frame is incomplete.
/// </summary>
internal sealed class DatagramAssembly
{
    private readonly List<Entry> _entries = [];
    private byte[]? _partial;

    internal bool IsEmpty => _entries.Count == 0;

    /// <param name="offset">Of the piece in its frame.</param>
    /// <param name="at">Of the piece in what was read.</param>
    internal void Add(in TrunkFrame frame, int offset, int at, ReadOnlySpan<byte> piece)
    {
        if (piece.Length == frame.Length)
        {
            _entries.Add(new Entry(frame, at, null));
            return;
        }

        if (offset == 0 && _partial is null)
        {
            _partial = PacketPool.Shared.Rent(frame.Length);
        }

        piece.CopyTo(_partial.AsSpan(offset));
        if (offset + piece.Length == frame.Length)
        {
            _entries.Add(new Entry(frame, 0, _partial));
            _partial = null;
        }
    }

    /// <param name="read">What was read, as it was when <see cref="Add"/> saw it.</param>
    internal void Drain(uint lane, ReadOnlySpan<byte> read, DatagramReceiver receiver, long nowUs)
    {
        foreach (var (frame, at, buffer) in _entries)
        {
            receiver.Accept(lane, frame, buffer is null ? read.Slice(at, frame.Length) : buffer.AsSpan(0, frame.Length), nowUs);
            if (buffer is not null)
            {
                PacketPool.Shared.Return(buffer);
            }
        }

        _entries.Clear();
    }

    private readonly record struct Entry(TrunkFrame Frame, int At, byte[]? Buffer);
}
