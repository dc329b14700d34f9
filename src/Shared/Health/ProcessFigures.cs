using System.Buffers.Text;
using System.IO.Enumeration;
using Aggregator.Interop;

namespace Aggregator.Health;

/// <summary>What this process itself uses.</summary>
/// <param name="Descriptors">Open ones, and how many it may have.</param>
internal readonly record struct ProcessFigures(long? RssBytes, long? Threads, long? Sockets, UsageFigures Descriptors)
{
    internal static ProcessFigures Read(HostFiles files)
    {
        var (descriptors, sockets) = CountDescriptors(files.PathOf("/proc/self/fd"));
        var (rss, threads) = ParseStatus(files.Read("/proc/self/status"));
        return new ProcessFigures(rss, threads, sockets, new UsageFigures(descriptors, ParseOpenFilesLimit(files.Read("/proc/self/limits"))));
    }

    internal static (long? RssBytes, long? Threads) ParseStatus(string? status) =>
        (ProcText.KibibytesAsBytes(status, "VmRSS:"), ProcText.Value(status, "Threads:"));

    /// <summary>`Max open files   1024   4096   files`: the soft limit, which is what the kernel holds us to. "unlimited" is null.</summary>
    internal static long? ParseOpenFilesLimit(string? limits)
    {
        const string Name = "Max open files ";
        foreach (var line in (limits ?? "").AsSpan().EnumerateLines())
        {
            if (line.StartsWith(Name, StringComparison.Ordinal))
            {
                return ProcText.Number(ProcText.Field(line[Name.Length..], 0));
            }
        }

        return null;
    }

    private static (long? Descriptors, long? Sockets) CountDescriptors(string directory)
    {
        try
        {
            long all = 0, sockets = 0;
            // Each name is a number; as numbers they cost no allocation each.
            foreach (int descriptor in new FileSystemEnumerable<int>(
                directory,
                static (ref FileSystemEntry entry) => int.TryParse(entry.FileName, out int number) ? number : -1,
                new EnumerationOptions { RecurseSubdirectories = false, AttributesToSkip = 0, ReturnSpecialDirectories = false }))
            {
                all++;
                if (descriptor >= 0 && IsSocket(directory, descriptor))
                {
                    sockets++;
                }
            }

            return (all, sockets);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, null);
        }
    }

    private static unsafe bool IsSocket(string directory, int descriptor)
    {
        const int MaxPath = 512;
        byte* path = stackalloc byte[MaxPath + 16];
        int length = System.Text.Encoding.UTF8.GetBytes(directory, new Span<byte>(path, MaxPath));
        path[length++] = (byte)'/';
        Utf8Formatter.TryFormat(descriptor, new Span<byte>(path + length, 12), out int digits);
        path[length + digits] = 0;
        // proc_pid_fd(5): socket:[inode]
        byte* target = stackalloc byte[8];
        nint got = Libc.readlink(path, target, 8);
        return got >= 7 && new ReadOnlySpan<byte>(target, 7).SequenceEqual("socket:"u8);
    }
}
