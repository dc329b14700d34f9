using Aggregator.Interop;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// One direction of an emulated link. A thread of its own takes every frame from one TAP at once, so that no queue but this one exists, and each goes
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

    /// <summary>
    /// Frames due within this time leave together, the last ones early: at 300 Mbit/s five or six at a wake-up. A fifth of a millisecond
    /// would still be well within what is promised (1 ms).
    /// </summary>
    private const long TogetherNs = 150_000;

    /// <summary>So many frames are taken before those due are delivered.</summary>
    private const int TakenAtOnce = 64;

    private const long NanosecondsPerSecond = 1_000_000_000;
    private const long NanosecondsPerTick = 100;

    private readonly bool _up;
    private readonly DelayWander _wander;
    private readonly Random _losses;
    private readonly byte[] _scratch = GC.AllocateArray<byte>(LongestFrame, pinned: true);
    private readonly Microsoft.Win32.SafeHandles.SafeFileHandle _wake;

    private LinkSettings _settings;
    private volatile MptcpInterference _interference;
    private volatile bool _stop;
    private volatile bool _outage;
    private Thread? _thread;
    private TapDevice? _from;
    private TapDevice? _to;

    // Of the thread alone:
    private FrameRing _ring;
    private long _lineFreeAt;
    private long _remainder;
    private long _remainderRate;
    private long _lastDue;
    private long _waitingBytes;

    internal LinkDirection(string name, bool up, LinkSettings settings, int seed)
    {
        Name = name;
        _up = up;
        _settings = settings.Checked();
        _wander = new DelayWander(seed);
        _losses = new Random(seed ^ 0x5bd1e995);
        _ring = new FrameRing(RingBytes(settings));
        _wake = Libc.eventfd(0, Libc.EFD_NONBLOCK | Libc.EFD_CLOEXEC);
        if (_wake.IsInvalid)
        {
            throw Libc.Error("eventfd");
        }
    }

    internal string Name { get; }

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
            Wake();
        }
    }

    /// <summary>Changes the link while it works; packets in the queue see the new rate, those on their way keep their arrival.</summary>
    internal void Set(LinkSettings settings)
    {
        Volatile.Write(ref _settings, settings.Checked());
        Wake();
    }

    internal void Set(Func<LinkSettings, LinkSettings> change) => Set(change(Settings));

    internal void Start(TapDevice from, TapDevice to)
    {
        (_from, _to) = (from, to);
        _stop = false;
        _thread = new Thread(Run) { IsBackground = true, Name = $"link {Name}" };
        _thread.Start();
    }

    /// <summary>Ends the thread; what was under way is lost. It may be started again.</summary>
    internal void Stop()
    {
        if (_thread is { } thread)
        {
            _stop = true;
            Wake();
            thread.Join();
            _thread = null;
            _packetsDroppedByOutage += _ring.Flying + _ring.Waiting;
            DropAll();
        }
    }

    public void Dispose()
    {
        Stop();
        _wake.Dispose();
        _ring.Dispose();
    }

    private void Wake()
    {
        ulong one = 1;
        // EAGAIN would mean that it is full of wakes already.
        _ = Libc.write(_wake, (byte*)&one, sizeof(ulong));
    }

    private void Run()
    {
        EmulatorClock.TryMakeThreadRealtime();
        Libc.pollfd* waits = stackalloc Libc.pollfd[2];
        waits[0] = new() { fd = (int)_from!.Handle.DangerousGetHandle(), events = Libc.POLLIN };
        waits[1] = new() { fd = (int)_wake.DangerousGetHandle(), events = Libc.POLLIN };
        var settings = Settings;

        while (!_stop)
        {
            var latest = Settings;
            if (!ReferenceEquals(latest, settings))
            {
                settings = latest;
                GrowRing(RingBytes(settings));
            }

            bool outage = _outage || settings.BlackHole;
            bool more = TakeFrames(settings, outage);
            long now = EmulatorClock.Now;
            Transmit(now + TogetherNs, settings);
            Deliver(now + TogetherNs, outage);
            if (more)
            {
                continue;
            }

            Wait(waits, settings);
        }
    }

    private void Wait(Libc.pollfd* waits, LinkSettings settings)
    {
        long due = NextDue(settings);
        long wait = due == long.MaxValue ? long.MaxValue : Math.Max(0, due - EmulatorClock.Now);
        Libc.timespec timeout;
        if (wait != long.MaxValue)
        {
            timeout.tv_sec = wait / NanosecondsPerSecond;
            timeout.tv_nsec = wait % NanosecondsPerSecond;
        }

        int ready = Libc.ppoll(waits, 2, wait == long.MaxValue ? null : &timeout, null);
        _wakeups++;
        if (ready > 0 && waits[1].revents != 0)
        {
            ulong count;
            _ = Libc.read(_wake, (byte*)&count, sizeof(ulong));
        }

        if (ready > 0 && (waits[0].revents & (Libc.POLLERR | Libc.POLLHUP | Libc.POLLNVAL)) != 0)
        {
            // The interface was deleted behind our back (`ip link del`, or its namespace went). Wait for Stop alone.
            waits[0].fd = -1;
        }
    }

    /// <summary>Takes what the sending interface has. True when there may be more.</summary>
    private bool TakeFrames(LinkSettings settings, bool outage)
    {
        int queueBytes = settings.EffectiveQueueBytes;
        for (int taken = 0; taken < TakenAtOnce; taken++)
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
        long rate = settings.RateBitsPerSecond ?? 0;
        if (rate != _remainderRate)
        {
            (_remainder, _remainderRate) = (0, rate);
        }

        while (_ring.Waiting > 0)
        {
            var frame = _ring.FirstWaiting;
            int bytes = Math.Max(0, frame->Length - EthernetHeader);
            long start = Math.Max(frame->Time, _lineFreeAt);
            long end = start;
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
        long bits = Math.Max(0, frame->Length - EthernetHeader) * 8L;
        long sending = settings.RateBitsPerSecond is { } rate ? bits * NanosecondsPerSecond / rate : 0;
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
