namespace Aggregator.Trunk;

/// <summary>The blocks in which streams keep bytes, for all sessions of a daemon. How many there may be is the budget's affair. Safe for many threads.</summary>
internal sealed class BlockPool
{
    /// <summary>A power of two: offsets are split by shifts.</summary>
    internal const int BlockBytes = 1 << BlockShift;

    internal const int BlockShift = 14;

    /// <summary>
    /// What a small message costs while it is under way: a command, a request, a keep-alive. With whole blocks, ten thousand quiet flows that
    /// all say a word at once took 160 MB.
    /// </summary>
    internal const int SmallBytes = 1024;

    /// <summary>Blocks that are kept for the next user (8 MiB); the rest goes back to the collector.</summary>
    private const int Kept = 512;

    /// <summary>Small ones (1 MiB).</summary>
    private const int KeptSmall = 1024;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _blocks = new();
    private readonly Stack<byte[]> _small = new();

    internal byte[] Rent() => Rent(_blocks, BlockBytes);

    internal byte[] RentSmall() => Rent(_small, SmallBytes);

    /// <param name="block">Of either size.</param>
    internal void Return(byte[] block)
    {
        lock (_lock)
        {
            var (blocks, kept) = block.Length == SmallBytes ? (_small, KeptSmall) : (_blocks, Kept);
            if (blocks.Count < kept)
            {
                blocks.Push(block);
            }
        }
    }

    /// <summary>Gives back what is kept: memory is short, or nothing moves any more.</summary>
    internal void Trim()
    {
        lock (_lock)
        {
            _blocks.Clear();
            _blocks.TrimExcess();
            _small.Clear();
            _small.TrimExcess();
        }
    }

    private byte[] Rent(Stack<byte[]> blocks, int bytes)
    {
        lock (_lock)
        {
            if (blocks.TryPop(out byte[]? block))
            {
                return block;
            }
        }

        return GC.AllocateUninitializedArray<byte>(bytes);
    }
}
