namespace Aggregator.Relay;

/// <summary>
/// All buffer memory of all relays of a daemon, bounded here and nowhere else:
/// at most <see cref="LargeCount"/> × <see cref="LargeBytes"/> + <see cref="SmallCount"/> × <see cref="SmallBytes"/>.
/// A flow takes a buffer only while it has bytes to move. When the large ones are gone (many flows whose receivers are slow),
/// flows go on with small ones, so that nobody starves behind them; when those are gone too, flows wait for one in order of arrival
/// and TCP's own windows hold the senders back. Receivers that do not read could keep them waiting for good, so while somebody waits, the
/// flow whose receiver has taken nothing for longest, and for <see cref="PatienceWithReceivers"/> at least, is ended.
/// </summary>
internal sealed class RelayBudget
{
    /// <summary>As large as pays: larger reads were no faster, smaller ones cost more system calls a byte.</summary>
    internal const int LargeBytes = 128 * 1024;

    internal const int SmallBytes = 4 * 1024;

    /// <summary>How often those that wait look for somebody who has become ripe.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);

    /// <summary>Large buffers that are kept for the next flow when nobody uses them (2 MiB); the rest goes back to the collector.</summary>
    private const int KeptLarge = 16;

    private int KeptNow => Math.Min(KeptLarge, _largeLimit);

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _large = new();
    private readonly Stack<byte[]> _small = new();
    private readonly Queue<TaskCompletionSource<byte[]>> _waiting = new();

    /// <summary>Those whose receiver makes them wait with a buffer in hand, the longest first.</summary>
    private readonly LinkedList<Writer> _writing = new();
    private readonly TimeProvider _time;
    private bool _relieving;
    private int _largeLimit;
    private int _refuses;
    private int _largeInUse;
    private int _smallInUse;

    internal RelayBudget(int largeCount, int smallCount, TimeProvider? time = null)
    {
        _time = time ?? TimeProvider.System;
        ArgumentOutOfRangeException.ThrowIfNegative(largeCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(smallCount, 1);
        LargeCount = _largeLimit = largeCount;
        SmallCount = smallCount;
    }

    internal int LargeCount { get; }

    internal int SmallCount { get; }

    /// <summary>For one buffer to be taken, when others wait for it: 30 s are under 5 kB/s. Without others waiting, there is no limit.</summary>
    internal TimeSpan PatienceWithReceivers { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What flows may hold at most, for the time being; see <see cref="Adapt"/>.</summary>
    internal long LimitBytes => ((long)Volatile.Read(ref _largeLimit) * LargeBytes) + ((long)SmallCount * SmallBytes);

    /// <summary>Memory is nearly gone: whoever opens a flow is told so (busy) in place of being let in.</summary>
    internal bool RefusesFlows => Volatile.Read(ref _refuses) != 0;

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
    /// Follows the memory that is left: of the large buffers only <paramref name="share"/> (0 to 1) may be held from now on. Those in use are not taken
    /// away, but one that comes back above the limit goes to the collector, and who waits gets a small one in its place: for these a small one more
    /// may be in use for each large one that was.
    /// </summary>
    internal void Adapt(double share, bool refusesFlows)
    {
        lock (_lock)
        {
            _largeLimit = (int)Math.Ceiling(LargeCount * Math.Clamp(share, 0, 1));
            Volatile.Write(ref _refuses, refusesFlows ? 1 : 0);
            while (_large.Count > KeptNow)
            {
                _large.Pop();
            }

            while (_waiting.Count > 0 && TryTake() is { } buffer)
            {
                _waiting.Dequeue().SetResult(buffer);
            }
        }
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
            if (!_relieving)
            {
                _relieving = true;
                _ = RelieveAsync();
            }

            return new ValueTask<byte[]>(waiter.Task);
        }
    }

    internal void Return(byte[] buffer)
    {
        lock (_lock)
        {
            if (buffer.Length == LargeBytes && _largeInUse > _largeLimit)
            {
                _largeInUse--;
                if (_waiting.TryDequeue(out var next))
                {
                    next.SetResult(TakeSmall());
                }
            }
            else if (_waiting.TryDequeue(out var waiter))
            {
                waiter.SetResult(buffer);
            }
            else if (buffer.Length == LargeBytes)
            {
                _largeInUse--;
                if (_large.Count < KeptNow)
                {
                    _large.Push(buffer);
                }
            }
            else
            {
                _smallInUse--;
                if (_smallInUse + _small.Count < SmallCount)
                {
                    _small.Push(buffer);
                }
            }
        }
    }

    /// <summary>A write with one of our buffers waits for its receiver.</summary>
    internal void WriteWaits(Writer writer)
    {
        lock (_lock)
        {
            writer.Since = _time.GetTimestamp();
            _writing.AddLast(writer.Node);
        }
    }

    /// <summary>The write has ended, however it did.</summary>
    internal void WriteEnded(Writer writer)
    {
        lock (_lock)
        {
            if (writer.Node.List is not null)
            {
                _writing.Remove(writer.Node);
            }
        }
    }

    /// <summary>Runs while somebody waits for a buffer.</summary>
    private async Task RelieveAsync()
    {
        var pause = PatienceWithReceivers < LookAgain ? PatienceWithReceivers : LookAgain;
        while (true)
        {
            await Task.Delay(pause, _time);
            List<Writer> ripe = [];
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _relieving = false;
                    return;
                }

                while (ripe.Count < _waiting.Count
                    && _writing.First is { } first
                    && _time.GetElapsedTime(first.Value.Since) >= PatienceWithReceivers)
                {
                    _writing.RemoveFirst();
                    ripe.Add(first.Value);
                }
            }

            ripe.ForEach(static writer => writer.End());
        }
    }

    private byte[]? TryTake()
    {
        if (_largeInUse < _largeLimit)
        {
            _largeInUse++;
            return _large.TryPop(out byte[]? large) ? large : GC.AllocateUninitializedArray<byte>(LargeBytes);
        }

        return _smallInUse < SmallCount ? TakeSmall() : null;
    }

    private byte[] TakeSmall()
    {
        _smallInUse++;
        return _small.TryPop(out byte[]? small) ? small : GC.AllocateUninitializedArray<byte>(SmallBytes);
    }

    /// <summary>One direction of a flow, as the budget knows it.</summary>
    internal sealed class Writer
    {
        /// <param name="end">Ends the flow. Safe at any time, from any thread.</param>
        internal Writer(Action end)
        {
            End = end;
            Node = new LinkedListNode<Writer>(this);
        }

        internal Action End { get; }

        internal LinkedListNode<Writer> Node { get; }

        internal long Since { get; set; }
    }
}
