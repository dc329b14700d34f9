using System.Diagnostics;
using Aggregator.Interop;

namespace Aggregator.Lab.Emulation;

/// <summary>The monotonic clock in nanoseconds, and the standing of the emulator's threads on the processor.</summary>
internal static unsafe class EmulatorClock
{
    /// <summary>Above every ordinary program: the emulator is the wire, and a wire does not wait for a busy computer.</summary>
    private const int RealtimePriority = 1;

    /// <summary>On Linux the stopwatch counts nanoseconds of CLOCK_MONOTONIC.</summary>
    internal static long Now => Stopwatch.GetTimestamp();

    /// <summary>
    /// Puts the calling thread before ordinary ones; its timers are then exact too. Where that is not allowed
    /// (a container without CAP_SYS_NICE) it stays as it is: delays then have the accuracy that the load leaves them.
    /// </summary>
    internal static bool TryMakeThreadRealtime()
    {
        Libc.sched_param param = new() { sched_priority = RealtimePriority };
        return Libc.sched_setscheduler(0, Libc.SCHED_FIFO, &param) == 0;
    }
}
