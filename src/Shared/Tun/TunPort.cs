using Aggregator.Interop;
using Aggregator.Packets;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Aggregator.Tun;

/// <summary>
/// Between a TUN device and a path. Out: one thread reads what the kernel sends (poll, then until nothing is left or a batch is full), looks at it,
/// and gives it to the path; the path gets every packet at once and a flush for a batch. In: what the path delivers is looked at and written to the device.
/// Allocates nothing in steady state.
/// </summary>
internal sealed unsafe partial class TunPort : IPacketSink, IDisposable
{
    /// <summary>Refusals are no flow that the table knows; whose slot they share loses nothing but its place among them.</summary>
    private const int RefusalSlot = 0;

    /// <summary>A path takes one sender at a time: the device's thread, and refusals on the path's own.</summary>
    private readonly Lock _sending = new();
    private readonly TunDevice _device;
    private readonly FlowTable _flows;
    private readonly IPacketFilter _filter;
    private readonly Func<IPacketPath?> _path;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SafeFileHandle _stop;
    private readonly Thread _thread;
    private readonly Lock _inGate = new();
    private readonly byte[] _segment = new byte[PacketInfo.MaxBytes];
    private readonly long _started;
    private volatile bool _isStopping;
    private long _outPackets;
    private long _outBytes;
    private long _outSupers;
    private long _outRefused;
    private long _outLost;
    private long _inPackets;
    private long _inBytes;
    private long _inSupers;
    private long _inRefused;
    private long _inMalformed;
    private long _inLost;

    /// <param name="device">Owned from now on.</param>
    /// <param name="path">Where packets go at the moment; null: nowhere.</param>
    internal TunPort(TunDevice device, FlowTable flows, IPacketFilter filter, Func<IPacketPath?> path, TimeProvider time, ILogger logger)
    {
        _device = device;
        _flows = flows;
        _filter = filter;
        _path = path;
        _time = time;
        _logger = logger;
        _started = time.GetTimestamp();
        _stop = new SafeFileHandle(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK), ownsHandle: true);
        if (_stop.IsInvalid)
        {
            throw Libc.Error("eventfd");
        }

        _thread = new Thread(Run) { IsBackground = true, Name = device.Name };
    }

    internal string Name => _device.Name;

    internal bool HasUso => _device.HasUso;

    internal TunCounts Counts => new(
        Volatile.Read(ref _outPackets), Volatile.Read(ref _outBytes), Volatile.Read(ref _outSupers), Volatile.Read(ref _outRefused), Volatile.Read(ref _outLost),
        Volatile.Read(ref _inPackets), Volatile.Read(ref _inBytes), Volatile.Read(ref _inSupers), Volatile.Read(ref _inRefused),
        Volatile.Read(ref _inMalformed), Volatile.Read(ref _inLost));

    internal void Start() => _thread.Start();

    /// <summary>For many threads: the trunk's lanes and the UDP lanes deliver beside each other.</summary>
    public void Deliver(ReadOnlySpan<byte> packet, in PacketMeta meta)
    {
        lock (_inGate)
        {
            DeliverOne(packet, meta);
        }
    }

    private void DeliverOne(ReadOnlySpan<byte> packet, in PacketMeta meta)
    {
        if (!PacketInfo.TryRead(packet, out var info) || !meta.Fits(info))
        {
            _inMalformed++;
            return;
        }

        if (!_filter.AllowsIn(packet, info))
        {
            _inRefused++;
            if (_filter.TellsRefusal(packet))
            {
                Refuse(packet, info);
            }

            return;
        }

        _inPackets++;
        _inBytes += packet.Length;
        if (meta.Gso == GsoKind.None)
        {
            Write(packet, info, meta);
            return;
        }

        _inSupers++;
        if (meta.Gso == GsoKind.Tcp || _device.HasUso)
        {
            Write(packet, info, meta);
            return;
        }

        // This kernel takes no UDP super-packets.
        for (int i = 0, segments = SuperPacket.Segments(info, meta); i < segments; i++)
        {
            var (partMeta, length) = SuperPacket.WritePart(packet, info, meta, i, 1, _segment);
            if (PacketInfo.TryRead(_segment.AsSpan(0, length), out var part))
            {
                Write(_segment.AsSpan(0, length), part, partMeta);
            }
        }
    }

    public void Dispose()
    {
        if (_isStopping)
        {
            return;
        }

        _isStopping = true;
        ulong one = 1;
        _ = Libc.write(_stop, (byte*)&one, sizeof(ulong));
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        _device.Dispose();
        _stop.Dispose();
    }

    private void Write(ReadOnlySpan<byte> packet, in PacketInfo info, in PacketMeta meta)
    {
        try
        {
            if (_device.Write(packet, info, meta) != 0)
            {
                _inLost++;
            }
        }
        catch (ObjectDisposedException)
        {
            // The port is closed while a lane still delivers.
            _inLost++;
        }
    }

    /// <summary>Back where it came from.</summary>
    private void Refuse(ReadOnlySpan<byte> packet, in PacketInfo info)
    {
        if (_path() is not { IsOpen: true } path)
        {
            return;
        }

        byte[] buffer = PacketPool.Shared.Rent(IcmpError.MaxBytes);
        int length = IcmpError.Write(packet, info, buffer);
        if (length == 0 || !PacketInfo.TryRead(buffer.AsSpan(0, length), out var error))
        {
            PacketPool.Shared.Return(buffer);
            return;
        }

        lock (_sending)
        {
            path.Send(new Packet(buffer, 0, error, default), new PacketFlow(RefusalSlot, PacketClass.Default, 0));
            path.Flush();
        }
    }
}

/// <summary>Since the port was opened. Out: from the host into the path.</summary>
/// <param name="OutSupers">Super-packets among them.</param>
/// <param name="OutRefused">Not the sender's address, a target that is not allowed, or no packet at all.</param>
/// <param name="OutLost">No path was open.</param>
/// <param name="InMalformed">No packet, or a description that does not fit it.</param>
/// <param name="InLost">The kernel did not take it.</param>
internal readonly record struct TunCounts(
    long OutPackets, long OutBytes, long OutSupers, long OutRefused, long OutLost,
    long InPackets, long InBytes, long InSupers, long InRefused, long InMalformed, long InLost);
