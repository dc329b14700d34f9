namespace Aggregator.Flows;

/// <summary>
/// Accepts each counter once (the sliding window of RFC 4303 section 3.4.3). Connections over several links overtake each other,
/// so late ones are fine as long as they are less than <see cref="Size"/> behind the newest. Safe for many threads.
/// </summary>
internal sealed class ReplayWindow
{
    /// <summary>Twice the most connections that a gateway dials at once.</summary>
    internal const int Size = 1024;

    private readonly Lock _lock = new();
    private readonly ulong[] _seen = new ulong[Size / 64];
    private ulong _newest;
    private bool _any;

    /// <summary>Call it for counters that are proven only: a forged one must not move the window.</summary>
    internal bool TryAccept(ulong counter)
    {
        lock (_lock)
        {
            if (!_any)
            {
                _any = true;
                _newest = counter;
            }
            else if (counter > _newest)
            {
                ulong steps = Math.Min(counter - _newest, Size);
                for (ulong i = 1; i <= steps; i++)
                {
                    Clear(_newest + i);
                }

                if (counter - _newest > Size)
                {
                    Array.Clear(_seen);
                }

                _newest = counter;
            }
            else if (_newest - counter >= Size || IsSet(counter))
            {
                return false;
            }

            Set(counter);
            return true;
        }
    }

    private bool IsSet(ulong counter) => (_seen[Word(counter)] & Bit(counter)) != 0;

    private void Set(ulong counter) => _seen[Word(counter)] |= Bit(counter);

    private void Clear(ulong counter) => _seen[Word(counter)] &= ~Bit(counter);

    private static int Word(ulong counter) => (int)(counter % Size / 64);

    private static ulong Bit(ulong counter) => 1UL << (int)(counter % 64);
}
