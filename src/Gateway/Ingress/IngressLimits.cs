using Aggregator.Interop;

namespace Aggregator.Gateway.Ingress;

/// <summary>Every bound of the ingress in one place. What a client can make us hold is the product of these.</summary>
internal sealed record IngressLimits
{
    /// <summary>For the pool, control, probes, status and the runtime itself, which does not survive it when it can open no file.</summary>
    private const int DescriptorsForOthers = 512;

    private const int MinConnections = 64;

    internal static IngressLimits Default { get; } = new();

    /// <summary>As many connections as the process may have descriptors for.</summary>
    /// <param name="descriptorsEach">That a connection takes: the client's, and one to the VPS where the carrier has one for each flow.</param>
    internal static unsafe IngressLimits ForThisProcess(int descriptorsEach)
    {
        Libc.resource_limit limit;
        // The runtime has raised the soft limit to the hard one at its start.
        return Libc.getrlimit(Libc.RLIMIT_NOFILE, &limit) == 0 ? ForDescriptors(limit.rlim_cur, descriptorsEach) : Default;
    }

    internal static IngressLimits ForDescriptors(ulong descriptors, int descriptorsEach = 2) => Default with
    {
        MaxConnections = (int)Math.Clamp(
            ((long)Math.Min(descriptors, int.MaxValue) - DescriptorsForOthers) / descriptorsEach, MinConnections, Default.MaxConnections),
    };

    /// <summary>Connections under way at once on all listeners together; further ones wait in the kernel's backlog.</summary>
    internal int MaxConnections { get; init; } = 16_000;

    /// <summary>The kernel's accept queue. net.core.somaxconn is 4096 by default; a page that opens hundreds at once must fit.</summary>
    internal int Backlog { get; init; } = 4096;

    /// <summary>From accept to a complete request. A person's network is milliseconds away; only a broken or hostile client needs longer.</summary>
    internal TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>HTTP's request head. Browsers send under 1 KB; 16 KB is what common servers take.</summary>
    internal int MaxHttpHeadBytes { get; init; } = 16 * 1024;

    /// <summary>SOCKS5's longest message, and as much again for what a client sends ahead of our answers.</summary>
    internal int MaxSocksBytes { get; init; } = 2 * Socks5.MaxMessageBytes;

    /// <summary>What travels with a transparent flow's open: a TLS ClientHello or an HTTP request fits.</summary>
    internal int MaxFirstBytes { get; init; } = 4096;

    /// <summary>The pause after an accept that failed for want of descriptors or memory; doubles up to <see cref="MaxAcceptPause"/>.</summary>
    internal TimeSpan MinAcceptPause { get; init; } = TimeSpan.FromMilliseconds(50);

    internal TimeSpan MaxAcceptPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the flows under way may take to end at shutdown after they were told to.</summary>
    internal TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
