using System.Buffers.Binary;
using Aggregator.Lab.Emulation;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Lab;

/// <summary>Properties of the emulator's parts, with any input.</summary>
public sealed unsafe class EmulationPropertyTests
{
    [Fact]
    public void The_middlebox_takes_any_bytes() =>
        Prop.ForAll<byte[], byte, bool>((bytes, kind, up) =>
        {
            byte[] frame = Frame(bytes, kind % 2 == 0, (byte)(kind | 0x50));
            Middlebox.Handle(frame, (MptcpInterference)127, up);
            Middlebox.Handle(bytes, (MptcpInterference)127, up);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_stripped_segment_has_no_mptcp_option_and_a_good_checksum() =>
        Prop.ForAll<byte[], bool, bool>((seed, v6, up) =>
        {
            // Options of lengths that fall on odd and even offsets, an MPTCP one among them.
            var random = new Random(seed.Aggregate(17, HashCode.Combine));
            byte[] options = Options(random);
            byte[] tcp = new byte[20 + options.Length + random.Next(40)];
            random.NextBytes(tcp);
            tcp[12] = (byte)((20 + options.Length) / 4 << 4);
            tcp[13] = (byte)(random.Next(2) == 0 ? 0x10 : 0x02);
            options.CopyTo(tcp, 20);
            byte[] frame = Segment(tcp, v6);
            Sum(frame, v6).ShouldBe((ushort)0xffff, "the test's own checksum");

            Middlebox.Handle(frame, MptcpInterference.StripAll, up).ShouldBe(Middlebox.Verdict.Stripped);
            Sum(frame, v6).ShouldBe((ushort)0xffff);
            var left = frame.AsSpan(14 + (v6 ? 40 : 20) + 20, options.Length);
            for (int i = 0; i < left.Length;)
            {
                left[i].ShouldNotBe((byte)30);
                i += left[i] is 0 or 1 ? 1 : left[i + 1];
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_ring_is_a_queue() =>
        Prop.ForAll<byte[]>(steps =>
        {
            using var ring = new FrameRing(4096);
            var flying = new Queue<byte[]>();
            var waiting = new Queue<byte[]>();
            int number = 0;
            foreach (byte step in steps.SelectMany(s => new[] { s, (byte)(s * 7), (byte)(s ^ 0x55) }))
            {
                switch (step % 4)
                {
                    case 0 or 1:
                        int length = 14 + (step * 5 % 900);
                        byte* space = ring.TryReserve(1000);
                        if (space != null)
                        {
                            byte[] frame = new byte[length];
                            Array.Fill(frame, (byte)++number);
                            frame.CopyTo(new Span<byte>(space, length));
                            ring.Commit(length, number);
                            waiting.Enqueue(frame);
                        }
                        else
                        {
                            (waiting.Count + flying.Count).ShouldBeGreaterThan(0, "an empty ring has room");
                        }

                        break;
                    case 2 when waiting.Count > 0:
                        Bytes(ring.FirstWaiting).ShouldBe(waiting.Peek());
                        ring.Launch();
                        flying.Enqueue(waiting.Dequeue());
                        break;
                    case 3 when flying.Count > 0:
                        Bytes(ring.FirstFlying).ShouldBe(flying.Dequeue());
                        ring.Land();
                        break;
                }

                ring.Waiting.ShouldBe(waiting.Count);
                ring.Flying.ShouldBe(flying.Count);
            }

            // Moved to a larger one, everything is there in its order.
            using var larger = new FrameRing(16384);
            ring.MoveTo(larger);
            (larger.Flying, larger.Waiting).ShouldBe((flying.Count, waiting.Count));
            foreach (byte[] frame in flying)
            {
                Bytes(larger.FirstFlying).ShouldBe(frame);
                larger.Land();
            }

            foreach (byte[] frame in waiting)
            {
                Bytes(larger.FirstWaiting).ShouldBe(frame);
                larger.Launch();
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Jitter_stays_within_its_bounds_and_never_reorders() =>
        Prop.ForAll<int, PositiveInt[]>((seed, steps) =>
        {
            const long Jitter = 5_000_000;
            var wander = new DelayWander(seed);
            long time = 1_000_000_000;
            long lastOut = long.MinValue;
            foreach (var step in steps)
            {
                time += step.Get * 100_000L;
                long extra = wander.At(time, Jitter);
                extra.ShouldBeInRange(-Jitter, Jitter);
                (time + extra).ShouldBeGreaterThanOrEqualTo(lastOut);
                lastOut = time + extra;
            }
        }).QuickCheckThrowOnFailure();

    private static byte[] Bytes(FrameRing.Header* header) => new Span<byte>(header + 1, header->Length).ToArray();

    private static byte[] Options(Random random)
    {
        var options = new List<byte>();
        int mptcp = random.Next(3);
        for (int i = 0; i < 3; i++)
        {
            options.AddRange(Enumerable.Repeat((byte)1, random.Next(3)));
            byte[] option = new byte[random.Next(3, 9)];
            random.NextBytes(option);
            option[0] = i == mptcp ? (byte)30 : (byte)(200 + i);
            option[1] = (byte)option.Length;
            options.AddRange(option);
        }

        while (options.Count % 4 != 0)
        {
            options.Add(0);
        }

        return [.. options];
    }

    private static byte[] Frame(byte[] bytes, bool v6, byte first)
    {
        byte[] frame = new byte[14 + 60 + bytes.Length];
        bytes.CopyTo(frame, 14);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), v6 ? (ushort)0x86dd : (ushort)0x0800);
        frame[14] = v6 ? (byte)0x60 : (byte)0x45;
        frame[14 + (v6 ? 6 : 9)] = 6;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(14 + (v6 ? 4 : 2)), (ushort)(frame.Length - 14 - (v6 ? 40 : 0)));
        frame[14 + 6 + (v6 ? 0 : 0)] = v6 ? (byte)6 : (byte)0;
        frame[14 + (v6 ? 40 : 20) + 12] = first;
        return frame;
    }

    private static byte[] Segment(byte[] tcp, bool v6)
    {
        int header = v6 ? 40 : 20;
        byte[] frame = new byte[14 + header + tcp.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), v6 ? (ushort)0x86dd : (ushort)0x0800);
        var ip = frame.AsSpan(14);
        ip[0] = v6 ? (byte)0x60 : (byte)0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[(v6 ? 4 : 2)..], (ushort)(tcp.Length + (v6 ? 0 : header)));
        ip[v6 ? 6 : 9] = 6;
        for (int i = v6 ? 8 : 12; i < header; i++)
        {
            ip[i] = (byte)(i * 31);
        }

        tcp.CopyTo(ip[header..]);
        ip.Slice(header + 16, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(ip[(header + 16)..], (ushort)~Sum(frame, v6));
        return frame;
    }

    /// <summary>Of the pseudo header and the segment (RFC 9293 section 3.1): 0xffff when the checksum is right.</summary>
    private static ushort Sum(byte[] frame, bool v6)
    {
        var ip = frame.AsSpan(14);
        int header = v6 ? 40 : 20;
        var tcp = ip[header..];
        uint sum = 6 + (uint)tcp.Length;
        foreach (var part in new[] { ip[(v6 ? 8 : 12)..header].ToArray(), tcp.ToArray() })
        {
            for (int i = 0; i < part.Length; i++)
            {
                sum += (uint)part[i] << (i % 2 == 0 ? 8 : 0);
            }
        }

        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)sum;
    }
}
