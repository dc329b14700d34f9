namespace Aggregator.Gateway.Node;

/// <summary>
/// Which pings are on their way and what their answers tell. Bounded: an answer that does not come is a matter of
/// seconds, so a handful of slots is all that can ever be in flight.
/// </summary>
internal sealed class PingLedger(TimeProvider time)
{
    /// <summary>One ping a second and silence noticed after a few: eight slots are never all needed.</summary>
    private const int Slots = 8;

    private readonly Lock _lock = new();
    private readonly (ulong Sequence, long SentAt)[] _sent = new (ulong, long)[Slots];
    private ulong _next = 1;
    private long _lastHeard = time.GetTimestamp();

    internal ulong Begin()
    {
        lock (_lock)
        {
            ulong sequence = _next++;
            _sent[sequence % Slots] = (sequence, time.GetTimestamp());
            return sequence;
        }
    }

    /// <summary>The round trip of an answered ping; null for an answer to nothing that was asked, or asked too long ago.</summary>
    internal TimeSpan? Answered(ulong sequence)
    {
        lock (_lock)
        {
            ref var slot = ref _sent[sequence % Slots];
            if (sequence == 0 || slot.Sequence != sequence)
            {
                return null;
            }

            _lastHeard = time.GetTimestamp();
            slot.Sequence = 0;
            return time.GetElapsedTime(slot.SentAt);
        }
    }

    /// <summary>How long the VPS has been silent.</summary>
    internal TimeSpan Silence
    {
        get
        {
            lock (_lock)
            {
                return time.GetElapsedTime(_lastHeard);
            }
        }
    }
}
