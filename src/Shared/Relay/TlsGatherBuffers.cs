using System.Collections.Concurrent;

namespace Aggregator.Relay;

/// <summary>
/// Room in which the records of one large write are put together, so that they leave with one system call in place of one for each 16 KiB
/// (each wakes the other side's thread: a quarter of the processor time of a relay). Bounded for the whole process: whoever finds none sends
/// record by record. One is held for as long as the socket takes nothing, so slow receivers cost at most these.
/// </summary>
internal static class TlsGatherBuffers
{
    /// <summary>The relay's largest write is 128 KiB: eight records with their headers and tags.</summary>
    internal const int Bytes = RelayBudget.LargeBytes + 1024;

    /// <summary>About 4 MiB in all.</summary>
    private const int MaxCount = 32;

    private static readonly ConcurrentBag<byte[]> Free = [];
    private static int _made;

    internal static byte[]? TryRent()
    {
        if (Free.TryTake(out byte[]? buffer))
        {
            return buffer;
        }

        if (Interlocked.Increment(ref _made) <= MaxCount)
        {
            return GC.AllocateUninitializedArray<byte>(Bytes);
        }

        Interlocked.Decrement(ref _made);
        return null;
    }

    internal static void Return(byte[] buffer) => Free.Add(buffer);
}
