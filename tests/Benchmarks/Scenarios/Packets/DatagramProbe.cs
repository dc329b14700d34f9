using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Scenarios.Packets;

/// <param name="DelaysMs">One way, of those that arrived, in the order of their arrival.</param>
/// <param name="LongestGapMs">Between two arrivals.</param>
/// <param name="Numbers">Of those that arrived, in the same order.</param>
/// <param name="SentAt">Theirs, of <see cref="Stopwatch"/>.</param>
internal sealed record DatagramResult(int Sent, int Arrived, int Doubled, int OutOfOrder, double[] DelaysMs, double LongestGapMs, long[] Numbers, long[] SentAt)
{
    /// <summary>What came after later ones: how far behind, and when.</summary>
    internal string Disorder(int most)
    {
        long last = -1;
        var found = new List<string>();
        for (int i = 0; i < Numbers.Length; i++)
        {
            if (Numbers[i] < last && found.Count < most)
            {
                found.Add($"#{Numbers[i]} behind #{last}, {DelaysMs[i]:0.0} ms");
            }

            last = Math.Max(last, Numbers[i]);
        }

        return string.Join("; ", found);
    }

    /// <summary>What never came, as runs of numbers.</summary>
    internal string Missing(int most)
    {
        var runs = new List<string>();
        long next = 0;
        foreach (long number in Numbers.Order().Append(Sent))
        {
            if (number > next)
            {
                runs.Add(number - next == 1 ? $"#{next}" : $"#{next}-{number - 1}");
            }

            next = number + 1;
        }

        return string.Join(", ", runs.Take(most)) + (runs.Count > most ? $" and {runs.Count - most} runs more" : "");
    }

    internal double LostRatio => 1 - (Arrived / (double)Math.Max(1, Sent));
}

/// <summary>One flow of numbered datagrams from the LAN's client to the internet host, both in this process, so that one clock tells each one's way.</summary>
internal static class DatagramProbe
{
    private const int HeaderBytes = 16;

    /// <summary>After the last was sent: more than any way through the lab takes.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(3);

    private static int _port = 7100;

    internal static async Task<DatagramResult> RunAsync(NetworkLab lab, int bytes, double perSecond, TimeSpan length)
    {
        int port = Interlocked.Increment(ref _port);
        using Socket sink = lab.Internet.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20, ReceiveTimeout = (int)Rest.TotalMilliseconds });
        sink.Bind(new IPEndPoint(LabAddresses.Internet, port));
        using Socket source = lab.Client.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { SendBufferSize = 1 << 20 });
        source.Connect(new IPEndPoint(LabAddresses.Internet, port));
        var receiving = Task.Factory.StartNew(() => Receive(sink, (int)(perSecond * length.TotalSeconds) + 1), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        int sent = await Task.Run(() => SendAsync(source, bytes, perSecond, length));
        var (seen, doubled, disorder, delays, gap, numbers, sentAt) = await receiving;
        return new DatagramResult(sent, seen, doubled, disorder, delays, gap, numbers, sentAt);
    }

    private static async Task<int> SendAsync(Socket socket, int bytes, double perSecond, TimeSpan length)
    {
        byte[] datagram = new byte[bytes];
        long began = Stopwatch.GetTimestamp();
        int sent = 0;
        while (true)
        {
            double passed = Stopwatch.GetElapsedTime(began).TotalSeconds;
            if (passed >= length.TotalSeconds)
            {
                return sent;
            }

            int due = (int)(passed * perSecond) + 1;
            for (; sent < due; sent++)
            {
                BinaryPrimitives.WriteInt64LittleEndian(datagram, sent);
                BinaryPrimitives.WriteInt64LittleEndian(datagram.AsSpan(8), Stopwatch.GetTimestamp());
                socket.Send(datagram);
            }

            // A millisecond's worth at a time: an application's bursts, not the wire's.
            await Task.Delay(1);
        }
    }

    private static (int Seen, int Doubled, int Disorder, double[] Delays, double GapMs, long[] Numbers, long[] SentAt) Receive(Socket socket, int most)
    {
        byte[] buffer = new byte[65536];
        var delays = new List<double>(most);
        var numbers = new List<long>(most);
        var sentAt = new List<long>(most);
        var known = new HashSet<long>(most);
        long last = -1;
        long? lastAt = null;
        int doubled = 0, disorder = 0;
        double gap = 0;
        try
        {
            while (true)
            {
                int count = socket.Receive(buffer);
                long now = Stopwatch.GetTimestamp();
                if (count < HeaderBytes)
                {
                    continue;
                }

                long number = BinaryPrimitives.ReadInt64LittleEndian(buffer);
                if (!known.Add(number))
                {
                    doubled++;
                    continue;
                }

                long sent = BinaryPrimitives.ReadInt64LittleEndian(buffer.AsSpan(8));
                numbers.Add(number);
                sentAt.Add(sent);
                delays.Add(Stopwatch.GetElapsedTime(sent, now).TotalMilliseconds);
                gap = lastAt is { } at ? Math.Max(gap, Stopwatch.GetElapsedTime(at, now).TotalMilliseconds) : 0;
                (disorder, last, lastAt) = (number < last ? disorder + 1 : disorder, Math.Max(last, number), now);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            return (known.Count, doubled, disorder, [.. delays], gap, [.. numbers], [.. sentAt]);
        }
    }
}
