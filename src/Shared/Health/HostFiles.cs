using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Aggregator.Health;

/// <summary>
/// What the kernel tells in /proc and /sys. What is missing, hidden or unreadable is null: a container lacks many of these files.
/// </summary>
/// <param name="root">`/`, or a directory of a test that has `proc` and `sys`.</param>
internal sealed class HostFiles(string root = "/")
{
    /// <summary>
    /// Most of a file that is looked at. The longest that hosts really have are mountinfo and net/dev with a thousand containers.
    /// </summary>
    internal const int MaxBytes = 256 * 1024;

    private readonly ConcurrentDictionary<string, Places> _places = new(StringComparer.Ordinal);

    /// <param name="path">Absolute, as on a host: `/proc/meminfo`.</param>
    /// <returns>Whole lines, at most <see cref="MaxBytes"/> of them; null: no such file, or it cannot be read.</returns>
    internal string? Read(string path)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(8 * 1024);
        try
        {
            using var file = new FileStream(PathOf(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            int filled = 0;
            while (file.Read(buffer, filled, buffer.Length - filled) is > 0 and var count)
            {
                filled += count;
                if (filled >= MaxBytes)
                {
                    // The line that is cut may end in half a number.
                    int end = buffer.AsSpan(0, filled).LastIndexOf((byte)'\n');
                    return Encoding.Latin1.GetString(buffer, 0, end + 1);
                }

                if (filled == buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Min(2 * buffer.Length, MaxBytes));
                    buffer.CopyTo(larger, 0);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }

            return Encoding.Latin1.GetString(buffer, 0, filled);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Where the process' cgroups of a controller are, found anew every few seconds: it may be moved into another one, but looking for them costs ten times
    /// what looking at them does.
    /// </summary>
    internal IReadOnlyList<CgroupPlace> CgroupPlaces(string controller, Func<IReadOnlyList<CgroupPlace>> find)
    {
        const long FreshMs = 5000;
        long now = Environment.TickCount64;
        if (!_places.TryGetValue(controller, out Places? known) || now - known.FoundAtMs > FreshMs)
        {
            _places[controller] = known = new Places(find(), now);
        }

        return known.All;
    }

    internal bool DirectoryExists(string path) => Directory.Exists(PathOf(path));

    /// <summary>Where a file of the host is in this root.</summary>
    internal string PathOf(string path) => Path.Join(root, path);

    private sealed record Places(IReadOnlyList<CgroupPlace> All, long FoundAtMs);
}
