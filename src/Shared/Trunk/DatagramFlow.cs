using Aggregator.Packets;

namespace Aggregator.Trunk;

/// <summary>Where a packet belongs in its flow.</summary>
internal enum DatagramPlace
{
    /// <summary>Everything before it was handed on.</summary>
    Next,

    /// <summary>Others before it are not there yet.</summary>
    Ahead,

    /// <summary>Others behind it were handed on already.</summary>
    Late,

    /// <summary>It came before.</summary>
    Twice,
}

/// <param name="Buffer">Of the packet pool.</param>
/// <param name="DeadlineUs">Then it goes on, whatever is missing before it.</param>
/// <param name="FlowLanes">How many lanes its sender had used for the flow by then, all of which keep their order; 0: not known, or they do not.</param>
internal readonly record struct HeldDatagram(byte[] Buffer, int Length, PacketMeta Meta, long DeadlineUs, byte FlowLanes = 0);

/// <summary>One flow at its receiver. Sequence numbers wrap; all that is compared lies within half of their range.</summary>
internal sealed class DatagramFlow
{
    /// <summary>How far ahead packets are held: 250 Mbit/s of full packets over lanes that are 300 ms apart. A power of two.</summary>
    internal const int Window = 8192;

    private const int FirstRing = 64;

    /// <summary>So many lanes or more: not counted.</summary>
    internal const int ManyLanes = 7;

    private HeldDatagram[]? _ring;
    private uint[]? _highest;
    private uint _next;

    /// <summary>The lowest that is held.</summary>
    private uint _first;

    /// <summary>Bit i: the packet <see cref="_next"/> - 1 - i was seen.</summary>
    private ulong _seen = ulong.MaxValue;
    private ulong _lanesNow;
    private ulong _lanesBefore;
    private long _lanesFromUs;

    internal int HeldCount { get; private set; }

    /// <summary>Lanes that it came on lately, by their numbers' lowest six bits.</summary>
    internal ulong Lanes => _lanesNow | _lanesBefore;

    /// <param name="sequence">Of what came on it.</param>
    internal void Uses(int lane, uint sequence, long nowUs, long memoryUs)
    {
        _highest ??= new uint[64];
        bool isNew = (Lanes & (1UL << lane)) == 0;
        _highest[lane] = isNew || (int)(sequence - _highest[lane]) > 0 ? sequence : _highest[lane];
        if (nowUs - _lanesFromUs > memoryUs)
        {
            _lanesBefore = nowUs - _lanesFromUs > 2 * memoryUs ? 0 : _lanesNow;
            _lanesNow = 0;
            _lanesFromUs = nowUs;
        }

        _lanesNow |= 1UL << lane;
    }

    /// <summary>Every lane that it uses has brought what was sent after the gap: as long as lanes keep their order, nothing of that can still come.</summary>
    private bool IsGapLost(int flowLanes)
    {
        if (flowLanes is 0 or >= ManyLanes || System.Numerics.BitOperations.PopCount(Lanes) < flowLanes)
        {
            return false;
        }

        for (ulong lanes = Lanes; lanes != 0; lanes &= lanes - 1)
        {
            if ((int)(_highest![System.Numerics.BitOperations.TrailingZeroCount(lanes)] - _first) < 0)
            {
                return false;
            }
        }

        return true;
    }

    internal DatagramPlace Place(uint sequence)
    {
        int ahead = (int)(sequence - _next);
        if (ahead >= 0)
        {
            return ahead == 0 ? DatagramPlace.Next : DatagramPlace.Ahead;
        }

        int back = -ahead - 1;
        if (back >= 64)
        {
            return DatagramPlace.Late;
        }

        bool seen = (_seen & (1UL << back)) != 0;
        _seen |= 1UL << back;
        return seen ? DatagramPlace.Twice : DatagramPlace.Late;
    }

    /// <summary>A packet that waits for nobody. False: it was seen before.</summary>
    internal bool SeeRealTime(uint sequence)
    {
        int ahead = (int)(sequence - _next);
        if (ahead >= 0 && HeldCount == 0)
        {
            Skip(ahead);
            Advance(sequence);
            return true;
        }

        if (ahead >= 0)
        {
            // Default packets of the same flow wait (its class has just changed): it takes its turn among them as one that is there.
            return !IsHeld(sequence) && TryHold(sequence, default);
        }

        return Place(sequence) == DatagramPlace.Late;
    }

    /// <summary>The packet <paramref name="sequence"/> was handed on; everything before it has been or will not be.</summary>
    internal void Advance(uint sequence)
    {
        Skip((int)(sequence - _next));
        _seen = (_seen << 1) | 1;
        _next = sequence + 1;
    }

    /// <summary>False: the place is taken, or too far ahead.</summary>
    internal bool TryHold(uint sequence, in HeldDatagram datagram)
    {
        uint ahead = sequence - _next;
        if (ahead >= Window)
        {
            return false;
        }

        Grow(ahead);
        ref var place = ref _ring![sequence & (uint)(_ring.Length - 1)];
        if (place.DeadlineUs != 0)
        {
            return false;
        }

        place = datagram.DeadlineUs == 0 ? datagram with { DeadlineUs = 1 } : datagram;
        _first = HeldCount == 0 || (int)(sequence - _first) < 0 ? sequence : _first;
        HeldCount++;
        return true;
    }

    /// <summary>Takes the packet that goes on now: the next one, or the first behind a gap when its time has come.</summary>
    /// <param name="missing">How many places before it were given up.</param>
    internal bool TryTake(long nowUs, out HeldDatagram datagram, out long missing)
    {
        missing = 0;
        datagram = default;
        while (HeldCount > 0)
        {
            uint sequence = _first;
            ref var place = ref _ring![sequence & (uint)(_ring.Length - 1)];
            if (sequence != _next && place.DeadlineUs > nowUs && !IsGapLost(place.FlowLanes))
            {
                return false;
            }

            missing += sequence - _next;
            datagram = place;
            place = default;
            HeldCount--;
            Advance(sequence);
            for (_first = _next; HeldCount > 0 && !IsHeld(_first); _first++)
            {
            }

            if (datagram.Buffer is not null)
            {
                return true;
            }
        }

        return false;
    }

    internal void Drop()
    {
        for (int i = 0; _ring is not null && i < _ring.Length; i++)
        {
            if (_ring[i].Buffer is { } buffer)
            {
                PacketPool.Shared.Return(buffer);
            }
        }

        _ring = null;
        HeldCount = 0;
    }

    private bool IsHeld(uint sequence) =>
        _ring is not null && sequence - _next < _ring.Length && _ring[sequence & (uint)(_ring.Length - 1)].DeadlineUs != 0;

    private void Skip(int places)
    {
        if (places > 0)
        {
            _seen = places >= 64 ? 0 : _seen << places;
            _next += (uint)places;
        }
    }

    private void Grow(uint ahead)
    {
        int wanted = Math.Max(FirstRing, (int)System.Numerics.BitOperations.RoundUpToPowerOf2(ahead + 1));
        if (_ring is not null && _ring.Length >= wanted)
        {
            return;
        }

        var larger = new HeldDatagram[wanted];
        for (uint i = 0; _ring is not null && i < _ring.Length; i++)
        {
            uint sequence = _next + i;
            larger[sequence & (uint)(wanted - 1)] = _ring[sequence & (uint)(_ring.Length - 1)];
        }

        _ring = larger;
    }
}
