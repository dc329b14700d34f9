namespace Aggregator.Gateway.Carriers;

/// <summary>Every bound of the carrier in one place.</summary>
internal sealed record CarrierLimits
{
    internal static CarrierLimits Default { get; } = new();

    /// <summary>Connections kept ready when nothing happens: what a browser opens for a page's first second.</summary>
    internal int MinReady { get; init; } = 8;

    /// <summary>
    /// And at most, however busy: each costs the VPS a socket and TLS state (about 50 KB with the kernel's part). As many again may wait on WANs that are
    /// slow at the moment.
    /// </summary>
    internal int MaxReady { get; init; } = 64;

    /// <summary>Handshakes under way at once. Enough to fill a 100 ms path; few enough not to look like an attack to the VPS.</summary>
    internal int MaxDialing { get; init; } = 32;

    /// <summary>Flows waiting for a connection at once; further ones are refused as busy.</summary>
    internal int MaxWaiting { get; init; } = 16_000;

    /// <summary>How long a flow waits while no connection at all becomes ready. While there is progress it keeps its place.</summary>
    internal TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a flow waits in any case: clients have given up by then.</summary>
    internal TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A connect that nobody has answered for so long gets company on the next WAN. A satellite's round trip is 0.6 s.</summary>
    internal TimeSpan ConnectStagger { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A connect over one WAN, and the handshake after it, each: a satellite's with a lost packet fits.</summary>
    internal TimeSpan DialTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>One dial over all WANs and addresses that are tried in turn.</summary>
    internal TimeSpan TotalDialTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>WANs × addresses tried in one dial. Eight is what the kernel has endpoints for.</summary>
    internal int MaxDialAttempts { get; init; } = 8;

    /// <summary>Dials that fail in a row before waiting flows are given up and dialling slows down. One or two may be bad luck.</summary>
    internal int FailuresToGiveUp { get; init; } = 3;

    /// <summary>The pause between dials when all fail; doubles up to <see cref="MaxRedialPause"/>.</summary>
    internal TimeSpan MinRedialPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>So that a VPS that is back carries flows within two seconds.</summary>
    internal TimeSpan MaxRedialPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A ready connection's age. Home routers forget idle TCP connections after five minutes at the earliest (RFC 5382 asks for two hours).</summary>
    internal TimeSpan MaxReadyAge { get; init; } = TimeSpan.FromMinutes(4);

    /// <summary>How often expired connections, waiting flows and demand are looked at.</summary>
    internal TimeSpan TickPeriod { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>From Open to the VPS's answer. Longer than the VPS's own dial takes to time out; this one is for a VPS that is gone.</summary>
    internal TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(40);

    /// <summary>How long a resolved name of the VPS is used before it is asked again.</summary>
    internal TimeSpan NameLifetime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Live connections looked at for one status: a system call each.</summary>
    internal int MaxSampled { get; init; } = 256;
}
