using Aggregator.Health;

namespace Aggregator.Trunk;

/// <summary>
/// The buffer memory of all trunk sessions of a daemon, bounded here and nowhere else. Windows are promised out of it: a stream gets more than
/// its first window only while there is room, and when the bytes that readers leave lying exceed it, the stream that holds most is reset
/// (of a session that has more than its part: <see cref="BudgetShare"/>). It follows the memory that is left (<see cref="Adapt"/>). Safe for many threads.
/// </summary>
internal sealed class TrunkBudget
{
    /// <summary>Enough for the largest window of one stream, however small the host.</summary>
    internal const long MinBytes = 32L << 20;

    /// <summary>More was of no use for 1 Gbit/s over 300 ms, and a daemon should stay small.</summary>
    internal const long MaxBytes = 256L << 20;

    /// <summary>What every stream may have under way, also when others use all there is: so nobody waits for a writer of another session.</summary>
    internal const long LeastOfStream = 4 * 1024;

    private readonly long _mostBytes;
    private long _bytes;
    private long _resetBytes;
    private long _receiveBytes;
    private long _promisedBytes;
    private long _sendBytes;
    private long _beyondBytes;
    private int _sessions;

    internal TrunkBudget(long bytes) => _mostBytes = _bytes = _resetBytes = bytes;

    internal BlockPool Pool { get; } = new();

    /// <summary>For receiving; as much again for sending. At this moment.</summary>
    internal long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>More than this lies unread: somebody has to go.</summary>
    internal long ResetBytes => Interlocked.Read(ref _resetBytes);

    /// <summary>As <see cref="ResetBytes"/>, for sessions that have less than their part: until those that have more saw to it, at their next tick.</summary>
    internal long HardResetBytes => ResetBytes / 4 * 5;

    /// <summary>The most for one stream.</summary>
    internal long WindowBytes => Bytes is var bytes && bytes < _mostBytes ? bytes / 4 : bytes;

    /// <summary>Received payload that the readers have not taken.</summary>
    internal long ReceiveBytes => Interlocked.Read(ref _receiveBytes);

    /// <summary>What peers may still send without being told more, with what lies here.</summary>
    internal long PromisedBytes => Interlocked.Read(ref _promisedBytes);

    /// <summary>Of that, what was promised although there was nothing left.</summary>
    internal long BeyondBytes => Interlocked.Read(ref _beyondBytes);

    /// <summary>Written payload that is not at the peers yet.</summary>
    internal long SendBytes => Interlocked.Read(ref _sendBytes);

    /// <summary>Sessions that share it.</summary>
    internal int Sessions => Volatile.Read(ref _sessions);

    /// <summary>A sixteenth of the memory, 32 to 256 MiB.</summary>
    internal static TrunkBudget ForMemory(long totalBytes) => new(Math.Clamp(totalBytes / 16, MinBytes, MaxBytes));

    /// <summary>
    /// Follows the memory that is left. Nothing is taken away at once: writers wait until less is under way, windows shrink as their bytes are read,
    /// and since peers may send what they were promised, streams are reset only from the old limit on; from half of it when memory is nearly gone.
    /// The kernel's buffers of the lanes are left alone: what waits to be sent there is kept short anyway, a small receive buffer stalls MPTCP,
    /// and the kernel shrinks them itself under pressure (net.ipv4.tcp_mem).
    /// </summary>
    internal void Adapt(MemoryDecision decision)
    {
        Interlocked.Exchange(ref _bytes, (long)(_mostBytes * Math.Clamp(decision.Share, 0, 1)));
        Interlocked.Exchange(ref _resetBytes, decision.State == MemoryState.Critical ? _mostBytes / 2 : _mostBytes);
        if (decision.State != MemoryState.Ample)
        {
            Pool.Trim();
        }
    }

    internal BudgetShare Join()
    {
        Interlocked.Increment(ref _sessions);
        return new BudgetShare(this);
    }

    /// <summary>A session is over and holds nothing any more.</summary>
    internal void Leave() => Interlocked.Decrement(ref _sessions);

    /// <summary>For <see cref="BudgetShare"/>, as those below.</summary>
    internal void AddReceived(long bytes) => Interlocked.Add(ref _receiveBytes, bytes);

    internal void AddPromised(long bytes) => Interlocked.Add(ref _promisedBytes, bytes);

    internal void AddBeyond(long bytes) => Interlocked.Add(ref _beyondBytes, bytes);

    internal void AddSent(long bytes) => Interlocked.Add(ref _sendBytes, bytes);
}
