using System.Threading.Channels;
using Aggregator.Packets;

namespace Aggregator.Gateway.Packets;

/// <summary>
/// What comes over the path for one UDP port of this host, seen before the kernel looks at it: a datagram whose sender is one of our own WANs' addresses is a
/// martian to it. Bounded; what is not read in time is lost. From any thread.
/// </summary>
internal sealed class PacketWatch : IDisposable
{
    private const int MaxWaiting = 64;

    private readonly Channel<byte[]> _payloads = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly LanFilter _filter;
    private readonly ushort _port;

    internal PacketWatch(LanFilter filter, ushort port)
    {
        (_filter, _port) = (filter, port);
        filter.Change(watches => watches.Add(this));
    }

    /// <summary>The next datagram's payload.</summary>
    internal ValueTask<byte[]> ReadAsync(CancellationToken cancellationToken) => _payloads.Reader.ReadAsync(cancellationToken);

    internal void See(ReadOnlySpan<byte> packet, in PacketInfo info)
    {
        if (info is { Protocol: PacketInfo.Udp, TransportBytes: PacketInfo.UdpHeaderBytes } && info.DestinationPort == _port)
        {
            _payloads.Writer.TryWrite(packet[(info.TransportAt + info.TransportBytes)..].ToArray());
        }
    }

    public void Dispose() => _filter.Change(watches => watches.Remove(this));
}
