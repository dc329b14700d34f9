using Aggregator.Interop;

namespace Aggregator.Health;

/// <summary>How much memory a daemon may count on, and a heap that keeps to it.</summary>
internal static class ProcessMemory
{
    /// <summary>
    /// Of a memory limit, what the managed heap may take. The rest is the runtime's own (60 MB), and OpenSSL's and the kernel's part of each connection,
    /// which are as large as the heap's part.
    /// </summary>
    private const double HeapShare = 0.5;

    /// <summary>The host's or the cgroup's, whichever is lower; where neither is known, what the runtime takes for it.</summary>
    internal static long TotalBytes(HostFiles files) => MemoryFigures.Read(files).TotalBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>
    /// Tells the collector of a limit. It finds only those that are mounted where it looks, and takes 75 % of them for itself alone.
    /// </summary>
    /// <returns>The heap's limit; null: there is no cgroup limit, or the collector does not take it.</returns>
    internal static long? LimitHeap(HostFiles files)
    {
        if (MemoryFigures.Read(files).LimitBytes is not { } limit)
        {
            return null;
        }

        long heap = (long)(limit * HeapShare);
        AppContext.SetData("GCHeapHardLimit", (ulong)heap);
        try
        {
            GC.RefreshMemoryLimit();
            return heap;
        }
        catch (InvalidOperationException)
        {
            // Lower than what is in use already: the guard's refusals must do.
            return null;
        }
    }

    /// <summary>Gives the kernel back what the managed heap and the C library's (OpenSSL's connections) keep for later. Takes tens of milliseconds.</summary>
    internal static void ReturnUnused()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        try
        {
            _ = Libc.malloc_trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // A C library other than glibc.
        }
    }
}
