namespace Aggregator.Packets;

/// <summary>Buffers for packets on their way, in two sizes. Safe for many threads. Nothing is allocated in steady state.</summary>
internal sealed class PacketPool
{
    /// <summary>An ordinary packet of an MTU of 1500 with room in front.</summary>
    internal const int SmallBytes = 2048;

    /// <summary>The largest packet with room in front.</summary>
    internal const int LargeBytes = PacketInfo.MaxBytes + 1 + 64;

    /// <summary>Kept for the next user: 4 MiB of either size; the rest goes back to the collector.</summary>
    private const int KeptSmall = 2048;
    private const int KeptLarge = 64;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _small = new();
    private readonly Stack<byte[]> _large = new();

    internal static PacketPool Shared { get; } = new();

    internal byte[] Rent(int bytes)
    {
        bool small = bytes <= SmallBytes;
        lock (_lock)
        {
            if ((small ? _small : _large).TryPop(out byte[]? buffer))
            {
                return buffer;
            }
        }

        return GC.AllocateUninitializedArray<byte>(small ? SmallBytes : LargeBytes);
    }

    internal void Return(byte[] buffer)
    {
        lock (_lock)
        {
            if (buffer.Length == SmallBytes && _small.Count < KeptSmall)
            {
                _small.Push(buffer);
            }
            else if (buffer.Length == LargeBytes && _large.Count < KeptLarge)
            {
                _large.Push(buffer);
            }
        }
    }
}
