using Aggregator.Lab.Emulation;

namespace Aggregator.Lab.Topology;

/// <summary>What stands between a WAN and the internet, for IPv4 (IPv6 is routed as it is).</summary>
internal enum NatKind
{
    None,

    /// <summary>Keeps the source port where it can, the same for every destination; only those that were written to may answer.</summary>
    PortRestricted,

    /// <summary>A new random port for every destination.</summary>
    Symmetric,
}

/// <summary>
/// One internet line. Without rates and delays it is a line that neither limits nor delays but can be changed later;
/// with <see cref="Unshaped"/> it is a plain veth pair, as fast as the kernel.
/// </summary>
/// <param name="Name">What people call it: letters, digits and dashes.</param>
internal sealed record WanSpec(string Name)
{
    internal const int DefaultMtuBytes = 1500;

    /// <summary>Rate from the internet to the gateway. Null: unlimited.</summary>
    internal double? DownMbps { get; init; }

    /// <summary>Rate from the gateway to the internet. Null: unlimited.</summary>
    internal double? UpMbps { get; init; }

    /// <summary>One way, in each direction: 10 makes a round trip of 20 ms.</summary>
    internal double DelayMs { get; init; }

    /// <summary>See <see cref="LinkSettings.Jitter"/>; each direction by itself.</summary>
    internal double JitterMs { get; init; }

    /// <summary>See <see cref="LinkSettings.LossRatio"/>; each direction by itself. 0.01 is one per cent.</summary>
    internal double LossRatio { get; init; }

    /// <summary>Of each direction. Null: 100 ms at its rate, at least 64 KiB.</summary>
    internal int? QueueBytes { get; init; }

    /// <summary>See <see cref="LinkSettings.BurstBytes"/>; each direction that has a rate by itself.</summary>
    internal int BurstBytes { get; init; }

    /// <summary>Null: as fast as the emulator can.</summary>
    internal double? BurstMbps { get; init; }

    /// <summary>The MTU of the interfaces at both ends.</summary>
    internal int MtuBytes { get; init; } = DefaultMtuBytes;

    internal NatKind Nat { get; init; }

    internal MptcpInterference Interference { get; init; }

    /// <summary>A veth pair in place of the emulator, for benchmarks; rate, delay and the like are then refused.</summary>
    internal bool Unshaped { get; init; }

    internal bool IPv4 { get; init; } = true;

    internal bool IPv6 { get; init; } = true;

    /// <summary>In place of the fields above, where the directions differ in more than their rates.</summary>
    internal LinkSettings? Down { get; init; }

    /// <inheritdoc cref="Down"/>
    internal LinkSettings? Up { get; init; }

    internal LinkSettings DownSettings => Down ?? Settings(DownMbps);

    internal LinkSettings UpSettings => Up ?? Settings(UpMbps);

    /// <exception cref="ArgumentException">A value out of its range, or what an unshaped WAN cannot do.</exception>
    internal void Check()
    {
        if (Name.Length is 0 or > 32 || !Name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
        {
            throw new ArgumentException($"WAN name '{Name}': 1 to 32 letters, digits and dashes");
        }

        if (MtuBytes is < 1280 or > 9000)
        {
            throw new ArgumentException($"WAN {Name}: mtu must be 1280 to 9000 bytes");
        }

        if (!IPv4 && !IPv6)
        {
            throw new ArgumentException($"WAN {Name}: IPv4, IPv6 or both");
        }

        if (BurstBytes != 0 && DownMbps is null && UpMbps is null)
        {
            throw new ArgumentException($"WAN {Name}: a burst is of a line with a rate: down or up");
        }

        if (Unshaped && (this with { Unshaped = false, Nat = NatKind.None, MtuBytes = DefaultMtuBytes, IPv4 = true, IPv6 = true } != new WanSpec(Name)))
        {
            throw new ArgumentException($"WAN {Name}: an unshaped WAN has no emulator: no rate, delay, jitter, loss, queue or MPTCP interference");
        }

        DownSettings.Checked();
        UpSettings.Checked();
    }

    private LinkSettings Settings(double? mbps) => new()
    {
        RateMbps = mbps,
        BurstBytes = mbps is null ? 0 : BurstBytes,
        BurstRateBitsPerSecond = mbps is null || BurstBytes == 0 ? null : (long?)(BurstMbps * 1e6),
        Delay = TimeSpan.FromMilliseconds(DelayMs),
        Jitter = TimeSpan.FromMilliseconds(JitterMs),
        LossRatio = LossRatio,
        QueueBytes = QueueBytes,
    };
}
