namespace Aggregator.Trunk;

/// <summary>Ranges of stream offsets, half open, sorted and apart. Costs nothing while empty. Not safe for several threads.</summary>
internal struct IntervalSet
{
    private Range[]? _ranges;
    private int _count;

    internal readonly record struct Range(long Start, long End);

    internal readonly int Count => _count;

    /// <summary>Bytes in all ranges.</summary>
    internal long Bytes { get; private set; }

    internal readonly Range this[int index] => _ranges![index];

    internal readonly bool IsEmpty => _count == 0;

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
        while (last < _count && _ranges![last].Start <= end)
        {
            var range = _ranges[last];
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
        while (last < _count && _ranges![last].Start < end)
        {
            removed += Math.Min(end, _ranges[last].End) - Math.Max(start, _ranges[last].Start);
            last++;
        }

        if (last == first)
        {
            return 0;
        }

        long left = _ranges![first].Start;
        long right = _ranges[last - 1].End;
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
        return index < _count && _ranges![index].Start <= start;
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
        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_ranges![middle].End < offset)
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
        _ranges ??= new Range[4];
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
    }
}
