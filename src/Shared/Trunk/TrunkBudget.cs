namespace Aggregator.Trunk;

/// <summary>
/// The buffer memory of all trunk sessions of a daemon, bounded here and nowhere else. Windows are promised out of it: a stream gets more than
/// its first window only while there is room, and when the bytes that readers leave lying exceed it, the stream that holds most is reset.
/// Safe for many threads.
/// </summary>
internal sealed class TrunkBudget
{
    /// <summary>Enough for the largest window of one stream, however small the host.</summary>
    internal const long MinBytes = 32L << 20;

    /// <summary>More was of no use for 1 Gbit/s over 300 ms, and a daemon should stay small.</summary>
    internal const long MaxBytes = 256L << 20;

    private long _receiveBytes;
    private long _promisedBytes;

    internal TrunkBudget(long bytes) => Bytes = bytes;

    internal BlockPool Pool { get; } = new();

    /// <summary>For receiving; as much again for sending.</summary>
    internal long Bytes { get; }

    /// <summary>Received payload that the readers have not taken.</summary>
    internal long ReceiveBytes => Interlocked.Read(ref _receiveBytes);

    /// <summary>What peers may still send without being told more, with what lies here.</summary>
    internal long PromisedBytes => Interlocked.Read(ref _promisedBytes);

    /// <summary>A sixteenth of the memory, 32 to 256 MiB.</summary>
    internal static TrunkBudget ForMemory(long totalBytes) => new(Math.Clamp(totalBytes / 16, MinBytes, MaxBytes));

    internal void AddReceived(long bytes) => Interlocked.Add(ref _receiveBytes, bytes);

    internal void AddPromised(long bytes) => Interlocked.Add(ref _promisedBytes, bytes);
}
