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
internal readonly record struct SenderTimes(double Receiver, double Buffer, double? Starved = null)
{
    /// <summary>A little of it is between two writes.</summary>
    private const double LittleStarved = 0.1;

    private const double LittleHeldUp = 0.5;

    /// <summary>There was always something to send and room for it: what the senders waited for was the line, however busy a processor was.</summary>
    internal bool WaitedForTheLine => Starved < LittleStarved && Receiver < LittleHeldUp && Buffer < LittleHeldUp;

    internal SpeedSenders ToMessage()
    {
        var message = new SpeedSenders { WindowRatio = Receiver, BufferRatio = Buffer };
        if (Starved is { } starved)
        {
            message.StarvedRatio = starved;
        }

        return message;
    }
}
