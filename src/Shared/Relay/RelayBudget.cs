namespace Aggregator.Relay;

/// <summary>
/// All buffer memory of all relays of a daemon, bounded here and nowhere else:
/// at most <see cref="LargeCount"/> × <see cref="LargeBytes"/> + <see cref="SmallCount"/> × <see cref="SmallBytes"/>.
/// A flow takes a buffer only while it has bytes to move. When the large ones are gone (many flows whose receivers are slow),
/// flows go on with small ones, so that nobody starves behind them; when those are gone too, flows wait for one in order of arrival
/// and TCP's own windows hold the senders back.
/// </summary>
internal sealed class RelayBudget
{
    /// <summary>As large as pays: larger reads were no faster, smaller ones cost more system calls a byte.</summary>
    internal const int LargeBytes = 128 * 1024;

    internal const int SmallBytes = 4 * 1024;

    /// <summary>Large buffers that are kept for the next flow when nobody uses them (2 MiB); the rest goes back to the collector.</summary>
    private const int KeptLarge = 16;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _large = new();
    private readonly Stack<byte[]> _small = new();
    private readonly Queue<TaskCompletionSource<byte[]>> _waiting = new();
    private int _largeInUse;
    private int _smallInUse;

    internal RelayBudget(int largeCount, int smallCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(largeCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(smallCount, 1);
        LargeCount = largeCount;
        SmallCount = smallCount;
    }

    internal int LargeCount { get; }

    internal int SmallCount { get; }

    /// <summary>Bytes of the buffers that flows hold at this moment.</summary>
    internal long InUseBytes
    {
        get
        {
            lock (_lock)
            {
                return ((long)_largeInUse * LargeBytes) + ((long)_smallInUse * SmallBytes);
            }
        }
    }

    /// <summary>The default for a daemon: 1/32 of the memory, 4 to 64 MiB of large buffers and a quarter of that in small ones.</summary>
    internal static RelayBudget ForMemory(long totalBytes)
    {
        long largeBytes = Math.Clamp(totalBytes / 32, 4L << 20, 64L << 20);
        return new RelayBudget((int)(largeBytes / LargeBytes), (int)(largeBytes / 4 / SmallBytes));
    }

    /// <summary>
    /// A buffer of either size. Give it back with <see cref="Return"/>. Cannot be cancelled: whoever holds one gives it back when its flow ends.
    /// </summary>
    internal ValueTask<byte[]> RentAsync()
    {
        lock (_lock)
        {
            if (TryTake() is { } buffer)
            {
                return new ValueTask<byte[]>(buffer);
            }

            var waiter = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(waiter);
            return new ValueTask<byte[]>(waiter.Task);
        }
    }

    internal void Return(byte[] buffer)
    {
        lock (_lock)
        {
            if (_waiting.TryDequeue(out var waiter))
            {
                waiter.SetResult(buffer);
            }
            else if (buffer.Length == LargeBytes)
            {
                _largeInUse--;
                if (_large.Count < KeptLarge)
                {
                    _large.Push(buffer);
                }
            }
            else
            {
                _smallInUse--;
                _small.Push(buffer);
            }
        }
    }

    private byte[]? TryTake()
    {
        if (_largeInUse < LargeCount)
        {
            _largeInUse++;
            return _large.TryPop(out byte[]? large) ? large : GC.AllocateUninitializedArray<byte>(LargeBytes);
        }

        if (_smallInUse < SmallCount)
        {
            _smallInUse++;
            return _small.TryPop(out byte[]? small) ? small : GC.AllocateUninitializedArray<byte>(SmallBytes);
        }

        return null;
    }
}
