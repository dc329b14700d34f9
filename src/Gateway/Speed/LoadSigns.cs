using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Speed;

/// <summary>What went on at both ends while one load was on.</summary>
/// <param name="Link">The link that was loaded alone; null: all of them, over the carrier.</param>
/// <param name="Senders">Null: not known.</param>
internal sealed record LoadSigns(string? Link, bool Down, SpeedHost? Gateway, SpeedHost? Vps, SenderTimes? Senders);

/// <summary>What the senders' kernels say of their time (tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited): parts of it, 0 to 1.</summary>
/// <param name="Receiver">Of the time with something under way: held up by the receiver's window.</param>
/// <param name="Buffer">Held up by their own buffer.</param>
/// <param name="Starved">Of all time: nothing was under way, because the program had given nothing to send. Null: not known.</param>
/// <param name="Queue">Null: not known.</param>
internal readonly record struct SenderTimes(double Receiver, double Buffer, double? Starved = null, LineQueue? Queue = null)
{
    /// <summary>A little of it is between two writes.</summary>
    private const double LittleStarved = 0.1;

    private const double LittleHeldUp = 0.5;

    /// <summary>A buffer that grows with its line holds up hardly anybody.</summary>
    private const double SomeHeldUp = 0.15;

    /// <summary>With room for more than the line takes, a program that always writes keeps about as much waiting as is under way.</summary>
    private const double LittleUnsent = 0.5;

    /// <summary>What the kernel had and had not sent yet, as part of what was under way; null: not known.</summary>
    internal double? UnsentPart { get; init; }

    /// <summary>
    /// No queue anywhere, nothing that waits to be sent, and always something under way: there was no room for more. The kernel does not count this time where
    /// a program never sleeps in its write (tcp_cwnd_validate asks for SOCK_NOSPACE while segments go out, and it is set behind that). Where it does count it,
    /// a buffer may also run empty before the program wakes up: a part of the time is enough then, and that the program seemed to give nothing is no sign against it.
    /// </summary>
    internal bool HadNoRoom =>
        (Starved < LittleStarved || Buffer > SomeHeldUp) && Receiver < LittleHeldUp && Queue is { Stands: false } && UnsentPart < LittleUnsent;

    /// <summary>
    /// There was always something to send and room for it, and it queued on the way: what the senders waited for was the line, however busy a processor was.
    /// Without a queue that is not said: a sender that a processor kept short may have taken what it got for the line's rate, and then sends no more (BBR).
    /// </summary>
    internal bool WaitedForTheLine => Starved < LittleStarved && Receiver < LittleHeldUp && Buffer < LittleHeldUp && Queue is { Stands: true };

    internal SpeedSenders ToMessage()
    {
        var message = new SpeedSenders { WindowRatio = Receiver, BufferRatio = Buffer };
        if (Starved is { } starved)
        {
            message.StarvedRatio = starved;
        }

        if (Queue is { } queue)
        {
            message.QueueMs = queue.QueueMs;
        }

        if (UnsentPart is { } unsent)
        {
            message.UnsentRatio = unsent;
        }

        return message;
    }
}

/// <summary>What a loaded line's segments waited for.</summary>
/// <param name="LeastMs">The least round trip seen.</param>
/// <param name="QueueMs">On top of it, typically.</param>
internal readonly record struct LineQueue(double LeastMs, double QueueMs)
{
    /// <summary>Two streams of BBR keep up to a round trip's worth in a full line's queue; what others' packets make is far less.</summary>
    private const double LeastPart = 0.1;

    private const double LeastQueueMs = 1;

    internal bool Stands => QueueMs >= Math.Max(LeastQueueMs, LeastPart * LeastMs);
}
