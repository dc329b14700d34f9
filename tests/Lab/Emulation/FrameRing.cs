using System.Runtime.InteropServices;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// Frames in order of arrival, in one block of native memory: first those <em>flying</em> (sent, not yet delivered), then those
/// <em>waiting</em> for the line. Each is a header and its bytes in one piece; a piece that does not fit before the end of the block
/// goes to its beginning. Used by one thread.
/// </summary>
internal sealed unsafe class FrameRing(long capacityBytes) : IDisposable
{
    /// <summary>What stands before each frame.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Header
    {
        /// <summary>Bytes of the frame; <see cref="Wrap"/> where the rest of the block is unused.</summary>
        internal int Length;

        /// <summary>When the frame came, then, once it flies, when it is due. Nanoseconds of the monotonic clock.</summary>
        internal long Time;
    }

    private const int Wrap = -1;

    private byte* _block = (byte*)NativeMemory.Alloc((nuint)Align(capacityBytes));
    private long _head;
    private long _middle;
    private long _tail;

    internal long CapacityBytes { get; } = Align(capacityBytes);

    internal int Flying { get; private set; }

    internal int Waiting { get; private set; }

    /// <summary>Space for a frame of up to <paramref name="frameBytes"/> behind the last one, or null when there is none.</summary>
    internal byte* TryReserve(int frameBytes)
    {
        if (Flying + Waiting == 0)
        {
            // Stay at the start of the block, which the processor's cache knows.
            _head = _middle = _tail = 0;
        }

        long need = Align(sizeof(Header) + frameBytes);
        if (_tail >= _head)
        {
            if (CapacityBytes - _tail >= need)
            {
                return _block + _tail + sizeof(Header);
            }

            if (_head <= need)
            {
                return null;
            }

            if (_tail < CapacityBytes)
            {
                ((Header*)(_block + _tail))->Length = Wrap;
            }

            if (Waiting == 0)
            {
                _middle = 0;
            }

            _tail = 0;
            return _block + sizeof(Header);
        }

        return _head - _tail > need ? _block + _tail + sizeof(Header) : null;
    }

    /// <summary>Keeps the frame that was written into the space just reserved.</summary>
    internal void Commit(int frameBytes, long time)
    {
        var header = (Header*)(_block + _tail);
        header->Length = frameBytes;
        header->Time = time;
        _tail += Align(sizeof(Header) + frameBytes);
        Waiting++;
    }

    /// <summary>The oldest frame that waits. There must be one.</summary>
    internal Header* FirstWaiting => At(ref _middle);

    /// <summary>The oldest frame that flies. There must be one.</summary>
    internal Header* FirstFlying => At(ref _head);

    /// <summary>The oldest waiting frame now flies.</summary>
    internal void Launch()
    {
        var header = At(ref _middle);
        _middle += Align(sizeof(Header) + header->Length);
        Waiting--;
        Flying++;
    }

    /// <summary>Lets go of the oldest flying frame.</summary>
    internal void Land()
    {
        var header = At(ref _head);
        _head += Align(sizeof(Header) + header->Length);
        Flying--;
    }

    internal void Clear()
    {
        Flying = 0;
        Waiting = 0;
    }

    /// <summary>Moves all frames to <paramref name="larger"/>, which is empty and has the room.</summary>
    internal void MoveTo(FrameRing larger)
    {
        int flying = Flying;
        for (int i = Flying + Waiting; i > 0; i--)
        {
            if (Flying == 0)
            {
                Launch();
            }

            var header = FirstFlying;
            byte* space = larger.TryReserve(header->Length);
            Buffer.MemoryCopy(header + 1, space, header->Length, header->Length);
            larger.Commit(header->Length, header->Time);
            if (flying-- > 0)
            {
                larger.Launch();
            }

            Land();
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_block);
        _block = null;
    }

    private Header* At(ref long position)
    {
        if (position == CapacityBytes || ((Header*)(_block + position))->Length == Wrap)
        {
            position = 0;
        }

        return (Header*)(_block + position);
    }

    private static long Align(long bytes) => (bytes + 7) & ~7L;
}
