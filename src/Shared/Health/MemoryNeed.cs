using System.Collections.Immutable;

namespace Aggregator.Health;

/// <summary>A gateway as the VPS sees it: what it needs of the VPS's memory follows from this.</summary>
/// <param name="BytesPerSecond">The most that it moved lately, the faster direction; of all its links together.</param>
/// <param name="Rtt">The longest round trip among its links.</param>
/// <param name="Flows">Open now.</param>
internal readonly record struct GatewayLoad(string Name, double BytesPerSecond, TimeSpan Rtt, int Links, long Flows);

/// <summary>What the present gateways, links and flows take of memory when they run at the rates that were measured.</summary>
/// <param name="BufferBytes">Socket buffers: rate × delay.</param>
/// <param name="FlowBytes">What a flow takes by being there.</param>
/// <param name="OtherBytes">Everything else that this host keeps in memory now, this daemon included.</param>
internal readonly record struct MemoryNeed(long BufferBytes, long FlowBytes, long OtherBytes)
{
    /// <summary>
    /// Of what is in flight: a receiver of MPTCP needs twice rate × delay of the slowest link (RFC 6182 section 5.3), the kernel takes about half of
    /// a buffer as window, and the other side of the relay, towards the target, holds as much again of a stream that is read slower than it comes.
    /// </summary>
    private const double BufferFactor = 4;

    /// <summary>Measured: 2,700 idle flows, each over a connection of its own, took 36 KB each of the VPS's process; as much again for the kernel's sockets.</summary>
    private const long BytesPerFlow = 72 * 1024;

    internal long TotalBytes => BufferBytes + FlowBytes + OtherBytes;

    /// <summary>Null where memory in use is not known, or there is no gateway.</summary>
    internal static MemoryNeed? Of(ImmutableArray<GatewayLoad> gateways, HealthSample sample)
    {
        if (gateways.IsDefaultOrEmpty || sample.Memory is not { TotalBytes: { } total, AvailableBytes: { } available })
        {
            return null;
        }

        long pageBytes = Environment.SystemPageSize;
        double buffers = gateways.Sum(g => BufferFactor * g.BytesPerSecond * g.Rtt.TotalSeconds);
        long flows = gateways.Sum(g => g.Flows) * BytesPerFlow;
        // What TCP and the flows hold at this moment is in use already and must not be counted twice.
        long others = total - available - Math.Min(total, (sample.TcpMemory.UsedPages ?? 0) * pageBytes) - flows;
        return new MemoryNeed((long)Math.Min(buffers, long.MaxValue / 4), flows, Math.Max(0, others));
    }
}
