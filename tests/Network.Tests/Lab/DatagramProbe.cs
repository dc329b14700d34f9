using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Lab.Topology;
using Aggregator.Mptcp;

namespace Aggregator.Network.Tests.Lab;

/// <summary>
/// Real datagrams between two hosts, each with its number and the time it was sent; the kernel stamps their arrival (SO_TIMESTAMPNS), so a busy receiver
/// does not bend what is measured. Both clocks are CLOCK_REALTIME.
/// </summary>
internal sealed unsafe partial class DatagramProbe : IDisposable
{
    internal const int IpBytes = 1428;

    private const int Headers = 28;
    private const int SO_TIMESTAMPNS = 35;
    private const int SCM_TIMESTAMPNS = SO_TIMESTAMPNS;
    private const int MSG_DONTWAIT = 0x40;
    private const int ReceiveBufferBytes = 64 * 1024 * 1024;

    /// <summary>For what must come: a busy machine may take its time.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Socket _receiver;
    private readonly Socket _sender;
    private readonly IPEndPoint _target;
    private readonly List<Arrival> _arrivals = new(500_000);
    private readonly List<long> _sent = new(500_000);
    private readonly Thread _thread;
    private volatile bool _stop;

    internal DatagramProbe(LabHost from, LabHost to, IPAddress target, IPAddress? source = null)
    {
        bool v6 = target.AddressFamily == AddressFamily.InterNetworkV6;

        // Any address: the one it is sent to may come and go.
        _receiver = to.InNamespace(() => Make(v6 ? IPAddress.IPv6Any : IPAddress.Any));
        _target = new IPEndPoint(target, ((IPEndPoint)_receiver.LocalEndPoint!).Port);
        _sender = from.InNamespace(() => Make(source ?? (v6 ? IPAddress.IPv6Any : IPAddress.Any)));
        Enlarge(_receiver, Libc.SO_RCVBUFFORCE);
        SetOne(_receiver, SO_TIMESTAMPNS);
        _receiver.ReceiveTimeout = 50;
        _thread = new Thread(Receive) { IsBackground = true };
        _thread.Start();
    }

    /// <param name="Number">Its place among those sent.</param>
    /// <param name="SentNs">When it was handed to the kernel.</param>
    /// <param name="ReceivedNs">When the kernel of the receiver had it.</param>
    internal readonly record struct Arrival(int Number, long SentNs, long ReceivedNs)
    {
        internal double DelayMs => (ReceivedNs - SentNs) / 1e6;
    }

    internal int SentCount => _sent.Count;

    /// <summary>Send times in nanoseconds, by number.</summary>
    internal IReadOnlyList<long> Sent => _sent;

    internal int ReceivedCount
    {
        get
        {
            lock (_arrivals)
            {
                return _arrivals.Count;
            }
        }
    }

    /// <summary>Sends for a time at a rate of IP bits, in bursts a millisecond apart.</summary>
    internal void Send(double mbps, TimeSpan duration)
    {
        long start = Now;
        double perSecond = mbps * 1e6 / (IpBytes * 8);
        long sent = 0;
        while (Now - start is var elapsed && elapsed < duration.TotalMilliseconds * 1e6)
        {
            // After a pause of the whole machine it goes on at the rate, without making up for more than 10 ms.
            long owed = (long)(elapsed / 1e9 * perSecond);
            sent = Math.Max(sent, owed - (long)(perSecond / 100));
            for (; sent < owed; sent++)
            {
                SendOne();
            }

            Pause(TimeSpan.FromMilliseconds(1));
        }
    }

    internal void SendOne()
    {
        Span<byte> payload = stackalloc byte[IpBytes - Headers];
        long now = Now;
        BinaryPrimitives.WriteInt32LittleEndian(payload, _sent.Count);
        BinaryPrimitives.WriteInt64LittleEndian(payload[4..], now);
        _sent.Add(now);
        _sender.SendTo(payload, _target);
    }

    /// <summary>What has arrived when at least <paramref name="expected"/> did (or five seconds passed), and then nothing more for <paramref name="quiet"/>.</summary>
    internal Arrival[] Finish(TimeSpan quiet, int expected = 0)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (ReceivedCount < expected && TimeProvider.System.GetElapsedTime(start) < Patience)
        {
            Pause(TimeSpan.FromMilliseconds(5));
        }

        int before = -1;
        while (before != ReceivedCount)
        {
            before = ReceivedCount;
            Pause(quiet);
        }

        lock (_arrivals)
        {
            return [.. _arrivals];
        }
    }

    /// <summary>Bits a second of IP in the arrivals, the first not counted.</summary>
    internal static double RateMbps(ReadOnlySpan<Arrival> arrivals) =>
        (arrivals.Length - 1) * (IpBytes * 8.0) / ((arrivals[^1].ReceivedNs - arrivals[0].ReceivedNs) / 1e9) / 1e6;

    internal static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    internal static double Percentile(IEnumerable<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[(int)((sorted.Length - 1) * share)];
    }

    public void Dispose()
    {
        _stop = true;
        _thread.Join();
        _sender.Dispose();
        _receiver.Dispose();
    }

    private static void Pause(TimeSpan time)
    {
        Libc.timespec pause = new() { tv_sec = (long)time.TotalSeconds, tv_nsec = time.Ticks % TimeSpan.TicksPerSecond * 100 };
        _ = Libc.ppoll(null, 0, &pause, null);
    }

    private static long Now => (TimeProvider.System.GetUtcNow().Ticks - DateTime.UnixEpoch.Ticks) * 100;

    private static Socket Make(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(address, 0));
        return socket;
    }

    private static void Enlarge(Socket socket, int option)
    {
        int bytes = ReceiveBufferBytes;
        if (Libc.setsockopt(socket.SafeHandle, Libc.SOL_SOCKET, option, &bytes, sizeof(int)) < 0)
        {
            throw Libc.Error("SO_RCVBUFFORCE");
        }
    }

    private static void SetOne(Socket socket, int option)
    {
        int one = 1;
        if (Libc.setsockopt(socket.SafeHandle, Libc.SOL_SOCKET, option, &one, sizeof(int)) < 0)
        {
            throw Libc.Error($"socket option {option}");
        }
    }

    private void Receive()
    {
        const int ControlBytes = 128;
        byte* payload = stackalloc byte[2048];
        byte* control = stackalloc byte[ControlBytes];
        IoVector vector = new() { Base = payload, Length = 2048 };
        var batch = new List<Arrival>(4096);
        while (!_stop)
        {
            MessageHeader message = new() { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = ControlBytes };
            nint length = recvmsg(_receiver.SafeHandle, &message, batch.Count == 0 ? 0 : MSG_DONTWAIT);
            if (length >= 12)
            {
                // cmsghdr: u64 length, int level, int type; then a timespec.
                long stamp = *(int*)(control + 12) == SCM_TIMESTAMPNS
                    ? (*(long*)(control + 16) * 1_000_000_000) + *(long*)(control + 24)
                    : throw new InvalidOperationException("the kernel gave no time of arrival");
                var span = new ReadOnlySpan<byte>(payload, (int)length);
                batch.Add(new Arrival(BinaryPrimitives.ReadInt32LittleEndian(span), BinaryPrimitives.ReadInt64LittleEndian(span[4..]), stamp));
            }

            if (length < 0 || batch.Count == batch.Capacity)
            {
                lock (_arrivals)
                {
                    _arrivals.AddRange(batch);
                }

                batch.Clear();
            }
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        internal byte* Base;
        internal nuint Length;
    }

    /// <summary>struct msghdr of sys/socket.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        internal void* Name;
        internal uint NameLength;
        internal IoVector* Vectors;
        internal nuint VectorCount;
        internal byte* Control;
        internal nuint ControlLength;
        internal int Flags;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(SafeHandle socket, MessageHeader* message, int flags);
}
