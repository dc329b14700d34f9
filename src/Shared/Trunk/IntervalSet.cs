using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Aggregator.Trunk;

/// <summary>Ranges of stream offsets, half open, sorted and apart. Takes no memory of its own before there are two. Not safe for several threads.</summary>
internal struct IntervalSet
{
    /// <summary>Room that is kept when all ranges are gone (16 KiB); more was an exception.</summary>
    private const int KeptRanges = 1024;

    /// <summary>Where they are once there were two; until then, <see cref="_one"/> is the only one.</summary>
    private Range[]? _ranges;
    private Range _one;
    private int _count;

    internal readonly record struct Range(long Start, long End);

    internal readonly int Count => _count;

    /// <summary>Bytes in all ranges.</summary>
    internal long Bytes { get; private set; }

    internal readonly Range this[int index] => Ranges[index];

    internal readonly bool IsEmpty => _count == 0;

    /// <summary>What it takes itself, beside what the ranges stand for.</summary>
    internal readonly long HeldBytes => (_ranges?.Length ?? 0) * (long)Unsafe.SizeOf<Range>();

    [UnscopedRef]
    private readonly ReadOnlySpan<Range> Ranges => _ranges is null ? MemoryMarshal.CreateReadOnlySpan(in _one, _count) : _ranges.AsSpan(0, _count);

    /// <summary>Adds a range; what is there already stays.</summary>
    /// <returns>The bytes that were not there before.</returns>
    internal long Add(long start, long end)
    {
        if (start >= end)
        {
            return 0;
        }

        // Mostly at the end, or right behind the first: both found at once.
        int first = FirstEndingAtOrAfter(start);
        int last = first;
        long added = end - start;
        long newStart = start;
        long newEnd = end;
        var ranges = Ranges;
        while (last < ranges.Length && ranges[last].Start <= end)
        {
            var range = ranges[last];
            added -= Math.Max(0, Math.Min(end, range.End) - Math.Max(start, range.Start));
            newStart = Math.Min(newStart, range.Start);
            newEnd = Math.Max(newEnd, range.End);
            last++;
        }

        Replace(first, last - first, new Range(newStart, newEnd), 1, default);
        Bytes += added;
        return added;
    }

    /// <returns>The bytes that were there.</returns>
    internal long Remove(long start, long end)
    {
        if (_count == 0 || start >= end)
        {
            return 0;
        }

        int first = FirstEndingAtOrAfter(start + 1);
        int last = first;
        long removed = 0;
        var ranges = Ranges;
        while (last < ranges.Length && ranges[last].Start < end)
        {
            removed += Math.Min(end, ranges[last].End) - Math.Max(start, ranges[last].Start);
            last++;
        }

        if (last == first)
        {
            return 0;
        }

        long left = ranges[first].Start;
        long right = ranges[last - 1].End;
        if (left < start && right > end)
        {
            Replace(first, last - first, new Range(left, start), 2, new Range(end, right));
        }
        else if (left < start)
        {
            Replace(first, last - first, new Range(left, start), 1, default);
        }
        else if (right > end)
        {
            Replace(first, last - first, new Range(end, right), 1, default);
        }
        else
        {
            Replace(first, last - first, default, 0, default);
        }

        Bytes -= removed;
        return removed;
    }

    internal readonly bool Contains(long start, long end)
    {
        int index = FirstEndingAtOrAfter(end);
        return index < _count && Ranges[index].Start <= start;
    }

    internal void Clear()
    {
        _ranges = null;
        _count = 0;
        Bytes = 0;
    }

    /// <summary>The index of the first range whose end is at <paramref name="offset"/> or beyond; <see cref="Count"/> if there is none.</summary>
    internal readonly int FirstEndingAtOrAfter(long offset)
    {
        var ranges = Ranges;
        int low = 0;
        int high = ranges.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (ranges[middle].End < offset)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private void Replace(int index, int old, Range first, int now, Range second)
    {
        int change = now - old;
        if (_ranges is null)
        {
            if (_count + change <= 1)
            {
                _count += change;
                _one = now > 0 ? first : _one;
                return;
            }

            _ranges = new Range[4];
            _ranges[0] = _one;
        }

        if (_count + change > _ranges.Length)
        {
            Array.Resize(ref _ranges, _ranges.Length * 2);
        }

        if (change != 0)
        {
            Array.Copy(_ranges, index + old, _ranges, index + now, _count - index - old);
            _count += change;
        }

        if (now > 0)
        {
            _ranges[index] = first;
        }

        if (now > 1)
        {
            _ranges[index + 1] = second;
        }

        if (_count == 0 && _ranges.Length > KeptRanges)
        {
            _ranges = null;
        }
    }
}
