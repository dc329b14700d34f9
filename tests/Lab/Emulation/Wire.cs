using Aggregator.Interop;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Lab.Emulation;

/// <summary>
/// The thread that carries the frames of all links of a lab. One, because what costs is waking up, not the frames: while there is traffic it looks
/// after all links every <see cref="TickNs"/>, however many there are; when there is none it sleeps until a frame comes or is due.
/// It runs before ordinary programs, so a busy machine does not bend the links, and one thread leaves the other processors to the programs.
/// </summary>
internal sealed unsafe class Wire : IDisposable
{
    /// <summary>
    /// The time between rounds while there is traffic. A frame may lie in a TAP's own queue until the next round, so its arrival is noted up to one tick late;
    /// and it is delivered in the last round before it is due, up to one tick early. The errors cancel in the mean and stay well within what is promised, 1 ms.
    /// </summary>
    internal const long TickNs = 200_000;

    /// <summary>After so many ticks without a frame the traffic counts as ended.</summary>
    private const int QuietTicks = 5;

    private const long NanosecondsPerSecond = 1_000_000_000;

    private readonly Lock _gate = new();
    private readonly List<LinkDirection> _links = [];
    private readonly SafeFileHandle _wake;
    private readonly Thread _thread;
    private Libc.pollfd[] _waits = [];
    private volatile bool _realtime;
    private bool _stop;
    private long _rounds;

    internal Wire(string name)
    {
        _wake = new SafeFileHandle(Libc.eventfd(0, Libc.EFD_NONBLOCK | Libc.EFD_CLOEXEC), ownsHandle: true);
        if (_wake.IsInvalid)
        {
            throw Libc.Error("eventfd");
        }

        Arrange();
        _thread = new Thread(Run) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>How often the thread looked after its links.</summary>
    internal long Rounds => Volatile.Read(ref _rounds);

    /// <summary>Whether the thread runs before ordinary ones. If not, delays are as exact as the machine's load lets them.</summary>
    internal bool IsRealtime => _realtime;

    internal void Add(LinkDirection link, TapDevice from, TapDevice to)
    {
        lock (_gate)
        {
            link.Connect(from, to);
            _links.Add(link);
            Arrange();
        }
    }

    /// <summary>When it returns, the wire no longer touches their TAPs. Those not on the wire are left alone.</summary>
    internal void Remove(params ReadOnlySpan<LinkDirection> links)
    {
        lock (_gate)
        {
            foreach (var link in links)
            {
                if (_links.Remove(link))
                {
                    link.Disconnect();
                }
            }

            Arrange();
        }
    }

    /// <summary>Makes the thread look at its links now.</summary>
    internal void Wake()
    {
        ulong one = 1;

        // EAGAIN would mean that it is full of wakes already.
        _ = Libc.write(_wake, (byte*)&one, sizeof(ulong));
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stop = true;
        }

        Wake();
        _thread.Join();
        _wake.Dispose();
    }

    /// <summary>Under the lock. A new array, so that the thread may sleep on the old one.</summary>
    private void Arrange()
    {
        var waits = GC.AllocateArray<Libc.pollfd>(_links.Count + 1, pinned: true);
        waits[0] = new() { fd = (int)_wake.DangerousGetHandle(), events = Libc.POLLIN };
        for (int i = 0; i < _links.Count; i++)
        {
            waits[i + 1] = new() { fd = _links[i].Descriptor, events = Libc.POLLIN };
        }

        _waits = waits;
        Wake();
    }

    private void Run()
    {
        _realtime = EmulatorClock.TryMakeThreadRealtime();
        int quiet = QuietTicks;
        long lastRound = 0;
        while (true)
        {
            Libc.pollfd[] waits;
            bool more = false;
            int taken = 0;
            long due = long.MaxValue;
            lock (_gate)
            {
                if (_stop)
                {
                    return;
                }

                waits = _waits;
                _rounds++;
                for (int i = 0; i < _links.Count; i++)
                {
                    due = Math.Min(due, _links[i].Work(waits[i + 1].revents == Libc.POLLIN, ref more, ref taken));
                }
            }

            long now = EmulatorClock.Now;
            quiet = taken > 0 ? 0 : quiet + 1;
            if (more)
            {
                continue;
            }

            if (quiet < QuietTicks)
            {
                // Traffic: be woken neither by every frame that comes nor by every one that is due.
                long next = lastRound + TickNs;
                if (next > now)
                {
                    Wait(waits, 1, next - now);
                }

                lastRound = Math.Max(next, EmulatorClock.Now - TickNs);
                Wait(waits, waits.Length, 0);
            }
            else
            {
                Wait(waits, waits.Length, due == long.MaxValue ? null : Math.Max(0, due - now));
                lastRound = EmulatorClock.Now;
            }
        }
    }

    /// <param name="count">How many of <paramref name="waits"/> to look at; the first is the eventfd.</param>
    /// <param name="nanoseconds">Null: no end.</param>
    private void Wait(Libc.pollfd[] waits, int count, long? nanoseconds)
    {
        Libc.timespec timeout = new()
        {
            tv_sec = (nanoseconds ?? 0) / NanosecondsPerSecond,
            tv_nsec = (nanoseconds ?? 0) % NanosecondsPerSecond,
        };
        fixed (Libc.pollfd* all = waits)
        {
            int ready = Libc.ppoll(all, (nuint)count, nanoseconds is null ? null : &timeout, null);
            if (ready <= 0)
            {
                // Nothing, or EINTR: the next round looks again.
                for (int i = 0; i < count; i++)
                {
                    all[i].revents = 0;
                }

                return;
            }

            if (all[0].revents != 0)
            {
                ulong wakes;
                _ = Libc.read(_wake, (byte*)&wakes, sizeof(ulong));
            }

            for (int i = 1; i < count; i++)
            {
                if ((all[i].revents & (Libc.POLLERR | Libc.POLLHUP | Libc.POLLNVAL)) != 0)
                {
                    // The interface was deleted behind our back (`ip link del`, or its namespace went): it would wake us for ever.
                    all[i].fd = -1;
                }
            }
        }
    }
}
