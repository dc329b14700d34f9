namespace Aggregator.Lab.Emulation;

/// <summary>
/// How one direction of an emulated link behaves. Immutable: a live change is a new record.
/// Rate and queue count the bytes of the IP packet, without the Ethernet header: 100 Mbit/s carries 100 Mbit of IP packets a second.
/// </summary>
internal sealed record LinkSettings
{
    /// <summary>The smallest queue that the default gives: enough for a few full-size bursts on very slow lines.</summary>
    internal const int SmallestDefaultQueueBytes = 64 * 1024;

    /// <summary>The default queue in time at the line's rate: what an ordinary home router holds.</summary>
    private const double DefaultQueueSeconds = 0.1;

    /// <summary>Bits of IP packets a second. Null: as fast as the emulator can.</summary>
    internal long? RateBitsPerSecond { get; init; }

    /// <summary>
    /// What a provider's token bucket lets through at <see cref="BurstRateBitsPerSecond"/> before the rate holds: it fills at the rate while the line
    /// carries less. 0: none.
    /// </summary>
    internal long BurstBytes { get; init; }

    /// <summary>While there are tokens. Null: as fast as the emulator can.</summary>
    internal long? BurstRateBitsPerSecond { get; init; }

    /// <summary>One way, after the packet has left the queue. A round trip is the sum of both directions.</summary>
    internal TimeSpan Delay { get; init; }

    /// <summary>The delay wanders within ± this much (never below 0), continuously, so packets keep their order.</summary>
    internal TimeSpan Jitter { get; init; }

    /// <summary>The share of packets lost after they left the queue, each by itself. 0 to 1.</summary>
    internal double LossRatio { get; init; }

    /// <summary>
    /// Bytes of IP packets that wait for the line, the one being sent included; what comes on top is dropped (tail drop). One packet always fits.
    /// Null: 100 ms at the rate, at least 64 KiB.
    /// </summary>
    internal int? QueueBytes { get; init; }

    /// <summary>Longer IP packets vanish without a word, as behind a bad tunnel. Null: no such limit (the interface's MTU is the WAN's).</summary>
    internal int? MtuBytes { get; init; }

    /// <summary>Nothing gets through, nobody is told; what is under way is lost too.</summary>
    internal bool BlackHole { get; init; }

    internal double? RateMbps
    {
        get => RateBitsPerSecond / 1e6;
        init => RateBitsPerSecond = value is { } mbps ? checked((long)(mbps * 1e6)) : null;
    }

    /// <summary>The queue's bound: as set, or what the rate gives.</summary>
    internal int EffectiveQueueBytes => QueueBytes
        ?? (RateBitsPerSecond is { } rate
            ? (int)Math.Clamp(rate / 8 * DefaultQueueSeconds, SmallestDefaultQueueBytes, MaximumQueueBytes)
            : MaximumQueueBytes);

    internal const int MaximumQueueBytes = 32 * 1024 * 1024;
    internal const long MaximumBurstBytes = 1_000_000_000;
    internal const long MaximumRateBitsPerSecond = 10_000_000_000;
    internal static readonly TimeSpan MaximumDelay = TimeSpan.FromSeconds(5);

    /// <exception cref="ArgumentException">A value out of its range; the message names it.</exception>
    internal LinkSettings Checked()
    {
        Require(RateBitsPerSecond is null or (>= 1000 and <= MaximumRateBitsPerSecond), "rate", "0.001 to 10000 Mbit/s");
        Require(BurstBytes is >= 0 and <= MaximumBurstBytes && (BurstBytes == 0 || RateBitsPerSecond is not null), "burst", $"0 to {MaximumBurstBytes} bytes, of a line with a rate");
        Require(BurstRateBitsPerSecond is null || BurstRateBitsPerSecond >= RateBitsPerSecond, "burst rate", "at least the rate");
        Require(Delay >= TimeSpan.Zero && Delay <= MaximumDelay, "delay", "0 to 5000 ms");
        Require(Jitter >= TimeSpan.Zero && Jitter <= MaximumDelay, "jitter", "0 to 5000 ms");
        Require(LossRatio is >= 0 and <= 1, "loss", "0 to 1");
        Require(QueueBytes is null or (>= 0 and <= MaximumQueueBytes), "queue", $"0 to {MaximumQueueBytes} bytes");
        Require(MtuBytes is null or (>= 68 and <= 65535), "mtu", "68 to 65535 bytes");
        return this;
    }

    private static void Require(bool holds, string name, string range)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name}: must be {range}");
        }
    }
}
