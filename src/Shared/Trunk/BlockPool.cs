namespace Aggregator.Trunk;

/// <summary>The blocks in which streams keep bytes, for all sessions of a daemon. How many there may be is the budget's affair. Safe for many threads.</summary>
internal sealed class BlockPool
{
    /// <summary>A power of two: offsets are split by shifts. One block is what a small flow costs while its bytes are under way.</summary>
    internal const int BlockBytes = 1 << BlockShift;

    internal const int BlockShift = 14;

    /// <summary>Blocks that are kept for the next user (8 MiB); the rest goes back to the collector.</summary>
    private const int Kept = 512;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _blocks = new();

    internal byte[] Rent()
    {
        lock (_lock)
        {
            if (_blocks.TryPop(out byte[]? block))
            {
                return block;
            }
        }

        return GC.AllocateUninitializedArray<byte>(BlockBytes);
    }

    internal void Return(byte[] block)
    {
        lock (_lock)
        {
            if (_blocks.Count < Kept)
            {
                _blocks.Push(block);
            }
        }
    }

    /// <summary>Gives back what is kept: nothing moves any more.</summary>
    internal void Trim()
    {
        lock (_lock)
        {
            _blocks.Clear();
            _blocks.TrimExcess();
        }
    }
}
