using Aggregator.Interop;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// One direction of an emulated link. The wire's thread takes every frame from one TAP at once, so that no queue but this one exists, and each goes
/// through: middlebox → queue (tail drop) → the line (its rate) → loss → delay → the other TAP.
/// The line's clock counts from the end of one packet to the end of the next in whole nanoseconds and keeps the remainder, so it never drifts, however
/// late the thread wakes.
/// </summary>
internal sealed unsafe partial class LinkDirection : IDisposable
{
    /// <summary>An Ethernet header; the TAPs have no tags.</summary>
    private const int EthernetHeader = 14;

    /// <summary>The longest frame a TAP gives: the largest IP packet and its header.</summary>
    private const int LongestFrame = 65535 + EthernetHeader;

    /// <summary>So many frames are taken before those due are delivered.</summary>
    private const int TakenAtOnce = 64;

    private const long NanosecondsPerSecond = 1_000_000_000;
    private const long NanosecondsPerTick = 100;

    private readonly bool _up;
    private readonly DelayWander _wander;
    private readonly Random _losses;
    private readonly byte[] _scratch = GC.AllocateArray<byte>(LongestFrame, pinned: true);
    private readonly Wire _wire;

    private LinkSettings _settings;
    private volatile MptcpInterference _interference;
    private volatile bool _outage;

    // Of the wire's thread alone:
    private TapDevice? _from;
    private TapDevice? _to;
    private LinkSettings _ringSettings;
    private FrameRing _ring;
    private long _lineFreeAt;
    private long _remainder;
    private long _remainderRate;
    private long _lastDue;
    private long _waitingBytes;
    private double _tokens;
    private long _tokensAt;

    internal LinkDirection(Wire wire, bool up, LinkSettings settings, int seed)
    {
        _wire = wire;
        _up = up;
        _settings = _ringSettings = settings.Checked();
        _wander = new DelayWander(seed);
        _losses = new Random(seed ^ 0x5bd1e995);
        _ring = new FrameRing(RingBytes(settings));
    }

    /// <summary>As it is now.</summary>
    internal LinkSettings Settings => Volatile.Read(ref _settings);

    internal MptcpInterference Interference
    {
        get => _interference;
        set => _interference = value;
    }

    /// <summary>Silence in this direction. Sets <see cref="LinkSettings.BlackHole"/>.</summary>
    internal bool BlackHole
    {
        get => Settings.BlackHole;
        set => Set(s => s with { BlackHole = value });
    }

    /// <summary>No carrier: nothing passes and what was under way is lost.</summary>
    internal bool Outage
    {
        get => _outage;
        set
        {
            _outage = value;
            _wire.Wake();
        }
    }

    /// <summary>Changes the link while it works; packets in the queue see the new rate, those on their way keep their arrival.</summary>
    internal void Set(LinkSettings settings)
    {
        Volatile.Write(ref _settings, settings.Checked());
        _wire.Wake();
    }

    internal void Set(Func<LinkSettings, LinkSettings> change) => Set(change(Settings));

    /// <summary>Connects the two ends. For <see cref="Wire"/>, under its lock.</summary>
    internal void Connect(TapDevice from, TapDevice to) => (_from, _to) = (from, to);

    /// <summary>What was under way is lost. For <see cref="Wire"/>, under its lock.</summary>
    internal void Disconnect()
    {
        (_from, _to) = (null, null);
        _packetsDroppedByOutage += _ring.Flying + _ring.Waiting;
        DropAll();
    }

    /// <summary>The descriptor whose frames it takes; -1: not connected.</summary>
    internal int Descriptor => _from is { } from ? (int)from.Handle.DangerousGetHandle() : -1;

    /// <summary>One round of the wire's thread: takes what has come, sends and delivers what is due.</summary>
    /// <param name="readable">Whether the sending interface may have frames.</param>
    /// <param name="moreAtOnce">There is more to be done than was allowed in one round.</param>
    /// <returns>When the next frame is due; <see cref="long.MaxValue"/> for never.</returns>
    internal long Work(bool readable, ref bool moreAtOnce, ref int taken)
    {
        var settings = Settings;
        if (!ReferenceEquals(_ringSettings, settings))
        {
            _ringSettings = settings;
            GrowRing(RingBytes(settings));
        }

        bool outage = _outage || settings.BlackHole;
        if (readable && _from is not null)
        {
            if (TakeFrames(settings, outage, ref taken))
            {
                moreAtOnce = true;
            }
        }

        long horizon = EmulatorClock.Now + Wire.TickNs;
        Transmit(horizon, settings);
        if (_ring.Flying > 0 || outage)
        {
            Deliver(horizon, outage);
        }

        return NextDue(settings);
    }

    public void Dispose() => _ring.Dispose();

    /// <summary>Takes what the sending interface has. True when there may be more.</summary>
    private bool TakeFrames(LinkSettings settings, bool outage, ref int taken)
    {
        int queueBytes = settings.EffectiveQueueBytes;
        for (int i = 0; i < TakenAtOnce; i++)
        {
            byte* space = _ring.TryReserve(LongestFrame);
            bool reserved = space != null;
            if (!reserved)
            {
                fixed (byte* scratch = _scratch)
                {
                    space = scratch;
                }
            }

            nint length = Libc.read(_from!.Handle, space, (nuint)LongestFrame);
            if (length <= 0)
            {
                // EAGAIN: that was all. EIO or EBADFD: the interface is down or gone; ppoll tells when that changes.
                return false;
            }

            taken++;
            long now = EmulatorClock.Now;
            int bytes = Math.Max(0, (int)length - EthernetHeader);
            _packetsIn++;
            _bytesIn += bytes;
            if (outage)
            {
                _packetsDroppedByOutage++;
                continue;
            }

            if (settings.MtuBytes is { } mtu && bytes > mtu)
            {
                _packetsDroppedByMtu++;
                continue;
            }

            if (_interference is not MptcpInterference.None and var interference)
            {
                var verdict = Middlebox.Handle(new Span<byte>(space, (int)length), interference, _up);
                if (verdict == Middlebox.Verdict.Drop)
                {
                    _packetsDroppedByMiddlebox++;
                    continue;
                }

                _packetsStripped += verdict == Middlebox.Verdict.Stripped ? 1 : 0;
            }

            if (_waitingBytes + bytes > queueBytes)
            {
                Transmit(now, settings);
            }

            if (!reserved || (_waitingBytes + bytes > queueBytes && _ring.Waiting > 0))
            {
                _packetsDroppedByQueue++;
                continue;
            }

            _ring.Commit((int)length, now);
            _waitingBytes += bytes;
            _queueBytesPeak = Math.Max(_queueBytesPeak, _waitingBytes);
        }

        return true;
    }

    /// <summary>Sends what the line has finished by <paramref name="now"/>.</summary>
    private void Transmit(long now, LinkSettings settings)
    {
        while (_ring.Waiting > 0)
        {
            var frame = _ring.FirstWaiting;
            int bytes = Math.Max(0, frame->Length - EthernetHeader);
            long start = Math.Max(frame->Time, _lineFreeAt);
            long end = start;
            long rate = RateAt(start, bytes, settings);
            if (rate != _remainderRate)
            {
                (_remainder, _remainderRate) = (0, rate);
            }

            if (rate > 0)
            {
                long scaled = bytes * 8 * NanosecondsPerSecond + _remainder;
                end += scaled / rate;
                if (end > now)
                {
                    return;
                }

                _remainder = scaled % rate;
            }

            _lineFreeAt = end;
            _waitingBytes -= bytes;
            TakeTokens(start, bytes, settings);
            _ring.Launch();
            if (settings.LossRatio > 0 && _losses.NextDouble() < settings.LossRatio)
            {
                frame->Time = Lost;
                continue;
            }

            long delay = (settings.Delay.Ticks * NanosecondsPerTick) + _wander.At(end, settings.Jitter.Ticks * NanosecondsPerTick);
            frame->Time = _lastDue = Math.Max(_lastDue, end + Math.Max(0, delay));
        }
    }

    /// <summary>Bits a second for a packet that starts now; 0: no limit.</summary>
    private long RateAt(long start, int bytes, LinkSettings settings) =>
        settings.BurstBytes > 0 && TokensAt(start, settings) >= bytes ? settings.BurstRateBitsPerSecond ?? 0 : settings.RateBitsPerSecond ?? 0;

    private double TokensAt(long now, LinkSettings settings) =>
        _tokensAt == 0 ? settings.BurstBytes : Math.Min(settings.BurstBytes, _tokens + ((now - _tokensAt) * (double)settings.RateBitsPerSecond!.Value / 8 / NanosecondsPerSecond));

    private void TakeTokens(long start, int bytes, LinkSettings settings)
    {
        if (settings.BurstBytes > 0)
        {
            // Below nothing where the rate itself carries it: what comes in meanwhile pays for that.
            (_tokens, _tokensAt) = (TokensAt(start, settings) - bytes, start);
        }
    }

    /// <summary>A due time that marks a frame lost on the way.</summary>
    private const long Lost = 0;

    private void Deliver(long now, bool outage)
    {
        while (_ring.Flying > 0)
        {
            var frame = _ring.FirstFlying;
            if (frame->Time > now && !outage)
            {
                return;
            }

            int bytes = Math.Max(0, frame->Length - EthernetHeader);
            if (frame->Time == Lost)
            {
                _packetsDroppedByLoss++;
            }
            else if (outage || Libc.write(_to!.Handle, (byte*)(frame + 1), (nuint)frame->Length) != frame->Length)
            {
                // The receiving interface is down or gone.
                _packetsDroppedByOutage++;
            }
            else
            {
                _packetsDelivered++;
                _bytesDelivered += bytes;
            }

            _ring.Land();
        }

        if (outage && _ring.Waiting > 0)
        {
            _packetsDroppedByOutage += _ring.Waiting;
            DropAll();
        }
    }

    /// <summary>When the next frame is due; a frame that is still waiting cannot be due before its own delay has passed.</summary>
    private long NextDue(LinkSettings settings)
    {
        if (_ring.Flying > 0)
        {
            return _ring.FirstFlying->Time;
        }

        if (_ring.Waiting == 0)
        {
            return long.MaxValue;
        }

        var frame = _ring.FirstWaiting;
        long start = Math.Max(frame->Time, _lineFreeAt);
        int bytes = Math.Max(0, frame->Length - EthernetHeader);
        long rate = RateAt(start, bytes, settings);
        long sending = rate > 0 ? bytes * 8L * NanosecondsPerSecond / rate : 0;
        return start + sending + Math.Max(0, (settings.Delay - settings.Jitter).Ticks * NanosecondsPerTick);
    }

    private void DropAll()
    {
        _ring.Clear();
        _waitingBytes = 0;
    }

    private void GrowRing(long bytes)
    {
        if (bytes > _ring.CapacityBytes)
        {
            var larger = new FrameRing(bytes);
            _ring.MoveTo(larger);
            _ring.Dispose();
            _ring = larger;
        }
    }
}
