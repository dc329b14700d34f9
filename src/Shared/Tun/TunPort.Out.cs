using Aggregator.Interop;
using Aggregator.Packets;

namespace Aggregator.Tun;

/// <content>Out: from the host into the path.</content>
internal sealed unsafe partial class TunPort
{
    /// <summary>Packets and bytes in a batch: a flush wakes lanes, which costs more than a small packet.</summary>
    private const int BatchPackets = 64;
    private const int BatchBytes = 256 * 1024;

    private readonly OutgoingRun _run = new();
    private ReadPace _pace;

    private long NowUs => (long)_time.GetElapsedTime(_started).TotalMicroseconds;

    private void Run()
    {
        try
        {
            while (!_isStopping && WaitForPackets())
            {
                int errno = ReadBatch(out int packets);
                if (_pace.After(packets, packets == BatchPackets, NowUs) is > 0 and var rest)
                {
                    Rest(rest);
                }

                if (errno != 0 && !_isStopping)
                {
                    _logger.TunFailed(_device.Name, errno);
                    return;
                }
            }
        }
        catch (Exception e)
        {
            // The process must not end with it; TCP goes on.
            _logger.TunFault(e, _device.Name);
        }
    }

    private bool WaitForPackets()
    {
        Libc.pollfd* polls = stackalloc Libc.pollfd[2];
        polls[0] = new Libc.pollfd { fd = (int)_device.Handle.DangerousGetHandle(), events = Libc.POLLIN };
        polls[1] = new Libc.pollfd { fd = (int)_stop.DangerousGetHandle(), events = Libc.POLLIN };
        while (Libc.ppoll(polls, 2, null, null) < 0)
        {
            if (Libc.Errno != Libc.EINTR)
            {
                throw Libc.Error("ppoll");
            }
        }

        return polls[1].revents == 0;
    }

    /// <summary>Sleeps, but for the end.</summary>
    private void Rest(int microseconds)
    {
        Libc.pollfd stop = new() { fd = (int)_stop.DangerousGetHandle(), events = Libc.POLLIN };
        Libc.timespec time = new() { tv_nsec = microseconds * 1000 };
        _ = Libc.ppoll(&stop, 1, &time, null);
    }

    /// <returns>0, or the errno that ends it.</returns>
    private int ReadBatch(out int packets)
    {
        packets = 0;
        var path = _path();
        int errno = 0;
        int bytes = 0;
        for (int i = 0; i < BatchPackets && bytes < BatchBytes; i++)
        {
            byte[] buffer = PacketPool.Shared.Rent(PacketPool.LargeBytes);
            int count = _device.Read(buffer);
            if (count <= 0)
            {
                PacketPool.Shared.Return(buffer);

                // EIO: the interface is down for the moment.
                errno = count == 0 || -count == Libc.EIO ? 0 : -count;
                break;
            }

            bytes += count;
            packets++;
            Take(buffer, count, path);
        }

        if (path is not null)
        {
            lock (_sending)
            {
                _run.Flush();
                path.Flush();
            }
        }

        return errno;
    }

    private void Take(byte[] buffer, int count, IPacketPath? path)
    {
        const int Start = VirtioNetHeader.Bytes;
        var bytes = buffer.AsSpan(Math.Min(Start, count), Math.Max(0, count - Start));
        if (!PacketInfo.TryRead(bytes, out var info) || !VirtioNetHeader.TryRead(buffer.AsSpan(0, Start), bytes, info, out var meta)
            || !_filter.AllowsOut(bytes, info))
        {
            _outRefused++;
            PacketPool.Shared.Return(buffer);
            return;
        }

        if (path is not { IsOpen: true })
        {
            _outLost++;
            PacketPool.Shared.Return(buffer);
            return;
        }

        _outPackets++;
        _outBytes += bytes.Length;
        _outSupers += meta.Gso == GsoKind.None ? 0 : 1;
        var flow = _flows.Classify(bytes, info, NowUs);
        int at = Start;
        if (bytes.Length <= PacketPool.SmallBytes)
        {
            // A queue of small packets should not hold large buffers.
            byte[] small = PacketPool.Shared.Rent(bytes.Length);
            bytes.CopyTo(small);
            PacketPool.Shared.Return(buffer);
            (buffer, at) = (small, 0);
        }

        var packet = new Packet(buffer, at, info, meta);
        lock (_sending)
        {
            if (OutgoingRun.Takes(packet, flow))
            {
                _run.Add(packet, flow, path);
                packet.Return();
                return;
            }

            _run.Flush();
            path.Send(packet, flow);
        }
    }
}
