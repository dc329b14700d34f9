namespace Aggregator.Trunk;

/// <summary>
/// Bytes of a stream by their offset, in pooled blocks: a window that slides forward and may have holes. Costs nothing while empty, and one small
/// block while all of it fits there. What of it is filled is the caller's to know. Not safe for several threads.
/// </summary>
internal struct BlockRun(BlockPool pool)
{
    /// <summary>A ring, a power of two long; null entries are holes.</summary>
    private byte[]?[]? _ring;

    /// <summary>The number of the first block that may be there (offset / block size).</summary>
    private long _first;

    /// <summary>In place of the ring, while all that is there lies within one.</summary>
    private byte[]? _small;

    /// <summary>The offset of its first byte.</summary>
    private long _smallStart;

    /// <summary>Behind the last byte that was written into it.</summary>
    private long _smallEnd;

    /// <summary>Bytes in the blocks that are held, used or not.</summary>
    internal long HeldBytes { get; private set; }

    internal void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        if (!TryWriteSmall(offset, bytes))
        {
            WriteBlocks(offset, bytes);
        }
    }

    /// <summary>False: it is in blocks, now at the latest.</summary>
    private bool TryWriteSmall(long offset, ReadOnlySpan<byte> bytes)
    {
        if (_small is null)
        {
            if (HeldBytes > 0 || bytes.Length > BlockPool.SmallBytes)
            {
                return false;
            }

            _small = pool.RentSmall();
            _smallStart = _smallEnd = offset;
            HeldBytes = BlockPool.SmallBytes;
        }

        if (offset >= _smallStart && offset + bytes.Length <= _smallStart + BlockPool.SmallBytes)
        {
            bytes.CopyTo(_small.AsSpan((int)(offset - _smallStart)));
            _smallEnd = Math.Max(_smallEnd, offset + bytes.Length);
            return true;
        }

        byte[] small = _small;
        _small = null;
        HeldBytes = 0;

        // What lies before the first block was read already.
        long start = Math.Max(_smallStart, _first << BlockPool.BlockShift);
        if (start < _smallEnd)
        {
            WriteBlocks(start, small.AsSpan((int)(start - _smallStart), (int)(_smallEnd - start)));
        }

        pool.Return(small);
        return false;
    }

    private void WriteBlocks(long offset, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int at = (int)(offset & (BlockPool.BlockBytes - 1));
            int count = Math.Min(bytes.Length, BlockPool.BlockBytes - at);
            ref byte[]? block = ref Slot(offset >> BlockPool.BlockShift);
            if (block is null)
            {
                block = pool.Rent();
                HeldBytes += BlockPool.BlockBytes;
            }

            bytes[..count].CopyTo(block.AsSpan(at));
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Only what was written and not freed.</summary>
    internal readonly void Read(long offset, Span<byte> bytes)
    {
        if (_small is not null && bytes.Length > 0)
        {
            _small.AsSpan((int)(offset - _smallStart), bytes.Length).CopyTo(bytes);
            return;
        }

        while (bytes.Length > 0)
        {
            int at = (int)(offset & (BlockPool.BlockBytes - 1));
            int count = Math.Min(bytes.Length, BlockPool.BlockBytes - at);
            byte[] block = _ring![(int)((offset >> BlockPool.BlockShift) & (_ring.Length - 1))]!;
            block.AsSpan(at, count).CopyTo(bytes);
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Everything before <paramref name="offset"/> is of no more use.</summary>
    /// <param name="empty">Nor is anything behind it: the last block goes too.</param>
    internal void FreeBefore(long offset, bool empty)
    {
        long keep = (offset + (empty ? BlockPool.BlockBytes - 1 : 0)) >> BlockPool.BlockShift;
        if (_small is not null && (empty || offset >= _smallStart + BlockPool.SmallBytes))
        {
            FreeSmall();
        }

        if (_small is not null || _ring is null)
        {
            _first = offset >> BlockPool.BlockShift;
            return;
        }

        while (_first < keep && HeldBytes > 0)
        {
            Free(ref _ring[(int)(_first & (_ring.Length - 1))]);
            _first++;
        }

        _first = Math.Max(_first, keep);
        if (HeldBytes == 0)
        {
            // A partly used block must not be begun anew behind its start.
            _first = offset >> BlockPool.BlockShift;
            if (empty)
            {
                _ring = null;
            }
        }
    }

    internal void Clear()
    {
        FreeSmall();
        for (int i = 0; _ring is not null && i < _ring.Length; i++)
        {
            Free(ref _ring[i]);
        }

        _ring = null;
    }

    private void FreeSmall()
    {
        if (_small is not null)
        {
            pool.Return(_small);
            _small = null;
            HeldBytes = 0;
        }
    }

    private void Free(ref byte[]? block)
    {
        if (block is not null)
        {
            pool.Return(block);
            block = null;
            HeldBytes -= BlockPool.BlockBytes;
        }
    }

    private ref byte[]? Slot(long number)
    {
        _ring ??= new byte[]?[4];
        if (number - _first >= _ring.Length)
        {
            Grow(number - _first + 1);
        }

        return ref _ring[(int)(number & (_ring.Length - 1))];
    }

    private void Grow(long blocks)
    {
        byte[]?[] old = _ring!;
        var larger = new byte[]?[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)blocks)];
        for (int i = 0; i < old.Length; i++)
        {
            long number = _first + i;
            larger[(int)(number & (larger.Length - 1))] = old[(int)(number & (old.Length - 1))];
        }

        _ring = larger;
    }
}
