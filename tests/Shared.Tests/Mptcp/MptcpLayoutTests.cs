using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Mptcp;

/// <summary>Sizes, offsets and bytes as linux/mptcp.h, linux/mptcp_pm.h and linux/tcp.h have them.</summary>
public sealed class MptcpLayoutTests
{
    [Fact]
    public void Structures_are_as_long_as_the_kernels()
    {
        Unsafe.SizeOf<Libc.mptcp_info>().ShouldBe(96);
        Unsafe.SizeOf<Libc.mptcp_full_info>().ShouldBe(136);
        Unsafe.SizeOf<Libc.mptcp_subflow_info>().ShouldBe(264);
        Unsafe.SizeOf<Libc.mptcp_subflow_data>().ShouldBe(16);
        ((int)Marshal.OffsetOf<Libc.mptcp_full_info>(nameof(Libc.mptcp_full_info.mptcp_info))).ShouldBe(40);
        Unsafe.SizeOf<Libc.rtmsg>().ShouldBe(12);
        Unsafe.SizeOf<Libc.fib_rule_hdr>().ShouldBe(12);
        Unsafe.SizeOf<Libc.ifinfomsg>().ShouldBe(16);
        Unsafe.SizeOf<Libc.ifaddrmsg>().ShouldBe(8);
        Unsafe.SizeOf<Libc.nlmsghdr>().ShouldBe(16);
        Unsafe.SizeOf<Libc.sockaddr_nl>().ShouldBe(12);
    }

    /// <summary>Each byte is its own offset, so each field shows where it was read.</summary>
    [Theory]
    [InlineData(48, false, false, false)]   // 6.1
    [InlineData(80, true, false, false)]    // 6.5
    [InlineData(84, true, true, false)]     // 6.8
    [InlineData(96, true, true, true)]      // 6.10 and later
    [InlineData(128, true, true, true)]     // some day
    public void Mptcp_info_tells_what_its_length_holds(int length, bool hasBytes, bool hasTotal, bool hasLast)
    {
        byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)i)];

        MptcpInfo info = MptcpInfo.Parse(bytes);

        info.ExtraSubflows.ShouldBe(0);
        info.SubflowsLimit.ShouldBe(3);
        info.AddressesAcceptedLimit.ShouldBe(5);
        info.FellBack.ShouldBeFalse();
        info.Token.ShouldBe(0x0f0e0d0cu);
        info.HasChecksum.ShouldBeTrue();
        info.BytesSent.ShouldBe(hasBytes ? 0x3f3e3d3c3b3a3938UL : null);
        info.BytesReceived.ShouldBe(hasBytes ? 0x4746454443424140UL : null);
        info.BytesAcknowledged.ShouldBe(hasBytes ? 0x4f4e4d4c4b4a4948UL : null);
        info.Subflows.ShouldBe(hasTotal ? 80 : null);
        info.SinceDataSent.ShouldBe(hasLast ? TimeSpan.FromMilliseconds(0x57565554u) : null);
        info.SinceAcknowledged.ShouldBe(hasLast ? TimeSpan.FromMilliseconds(0x5f5e5d5cu) : null);
    }

    [Fact]
    public void Fallback_is_a_flag_of_mptcp_info()
    {
        byte[] bytes = new byte[96];
        bytes[8] = 1;
        MptcpInfo.Parse(bytes).FellBack.ShouldBeTrue();
    }

    /// <summary>The offsets are those of the C compiler for struct tcp_info.</summary>
    [Theory]
    [InlineData(232)]
    [InlineData(280)]
    public void Tcp_info_is_read_at_the_compilers_offsets(int length)
    {
        byte[] bytes = new byte[length];
        bytes[0] = 2;
        Write(bytes, 16, 1448u);
        Write(bytes, 68, 12_345u);
        Write(bytes, 72, 678u);
        Write(bytes, 80, 40u);
        Write(bytes, 100, 9u);
        Write(bytes, 104, ulong.MaxValue);
        Write(bytes, 120, 1_000_001UL);
        Write(bytes, 128, 2_000_000UL);
        Write(bytes, 144, 77u);
        Write(bytes, 148, uint.MaxValue);
        Write(bytes, 160, 3_000_000UL);
        Write(bytes, 200, 4_000_000UL);

        TcpInfo info = TcpInfo.Parse(bytes);

        info.State.ShouldBe(TcpState.SynSent);
        info.SegmentBytes.ShouldBe(1448u);
        info.Rtt.ShouldBe(TimeSpan.FromMicroseconds(12_345));
        info.RttVariation.ShouldBe(TimeSpan.FromMicroseconds(678));
        info.CongestionWindowSegments.ShouldBe(40u);
        info.CongestionWindowBytes.ShouldBe(40UL * 1448);
        info.Retransmits.ShouldBe(9u);
        info.PacingRateBytesPerSecond.ShouldBeNull();
        info.BytesAcknowledged.ShouldBe(1_000_001UL);
        info.BytesReceived.ShouldBe(2_000_000UL);
        info.NotSentBytes.ShouldBe(77u);
        info.MinRtt.ShouldBeNull();
        info.DeliveryRateBytesPerSecond.ShouldBe(3_000_000UL);
        info.BytesSent.ShouldBe(4_000_000UL);
    }

    [Fact]
    public void Any_bytes_make_structures_and_addresses() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        _ = MptcpInfo.Parse(bytes).SinceDataSent;
        _ = TcpInfo.Parse(bytes).Busy;
        SubflowAddress address = SubflowAddress.Parse(bytes);
        return address.IsUnknown || SubflowAddress.From(address.ToEndPoint()!) == address;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Addresses_are_read_in_network_order_and_mapped_ones_are_IPv4()
    {
        byte[] v4 = [2, 0, 0x1d, 0x13, 10, 7, 1, 2, .. new byte[120]];
        SubflowAddress.Parse(v4).ToEndPoint().ShouldBe(new IPEndPoint(IPAddress.Parse("10.7.1.2"), 7443));
        byte[] mapped = [10, 0, 0x1d, 0x13, 0, 0, 0, 0, .. new byte[10], 0xff, 0xff, 10, 7, 1, 2, .. new byte[100]];
        SubflowAddress.Parse(mapped).ShouldBe(SubflowAddress.Parse(v4));
        SubflowAddress.Parse(v4).Has(IPAddress.Parse("::ffff:10.7.1.2")).ShouldBeTrue();
        SubflowAddress.Parse(v4).Has(IPAddress.Parse("10.7.1.3")).ShouldBeFalse();
        byte[] linkLocal = [10, 0, 0, 80, 0, 0, 0, 0, 0xfe, 0x80, .. new byte[13], 9, 3, 0, 0, 0, .. new byte[100]];
        SubflowAddress.Parse(linkLocal).ToEndPoint().ShouldBe(new IPEndPoint(IPAddress.Parse("fe80::9%3"), 80));
        SubflowAddress.Parse(new byte[128]).IsUnknown.ShouldBeTrue();
        SubflowAddress.Parse(v4.AsSpan(0, 7)).IsUnknown.ShouldBeTrue();
    }

    [Fact]
    public void An_endpoint_is_written_as_the_path_manager_wants_it()
    {
        byte[] buffer = new byte[128];
        var writer = new NetlinkWriter(buffer);
        GenericNetlinkFamily.Begin(ref writer, 30, Libc.MPTCP_PM_CMD_ADD_ADDR, 1);
        var endpoint = new MptcpEndpoint
        {
            Address = IPAddress.Parse("10.7.2.1"),
            Id = 7,
            Flags = MptcpEndpointFlags.Subflow | MptcpEndpointFlags.Backup,
            InterfaceIndex = 3,
            Port = 7443,
        };
        endpoint.Write(ref writer, Libc.MPTCP_PM_ATTR_ADDR);
        byte[] expected =
        [
            0x48, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // length 72, family 30
            1, 1, 0, 0,                                         // ADD_ADDR, version 1
            0x34, 0, 1, 0x80,                                   // nested ADDR
            6, 0, 1, 0, 2, 0, 0, 0,                             // FAMILY u16
            8, 0, 3, 0, 10, 7, 2, 1,                            // ADDR4
            6, 0, 5, 0, 0x13, 0x1d, 0, 0,                       // PORT, host order
            5, 0, 2, 0, 7, 0, 0, 0,                             // ID u8
            8, 0, 6, 0, 6, 0, 0, 0,                             // FLAGS u32
            8, 0, 7, 0, 3, 0, 0, 0,                             // IF_IDX s32
        ];
        buffer[..writer.Complete()].ShouldBe(expected);

        var reader = new NetlinkReader(expected);
        reader.TryNext(out NetlinkMessage message).ShouldBeTrue();
        MptcpEndpoint.TryParse(in message, out MptcpEndpoint? read).ShouldBeTrue();
        read.ShouldBe(endpoint);
    }

    [Fact]
    public void An_event_is_read_with_ports_in_network_order()
    {
        byte[] bytes =
        [
            0x64, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // length 100
            10, 1, 0, 0,                                        // SUB_ESTABLISHED
            8, 0, 1, 0, 0x78, 0x56, 0x34, 0x12,                 // TOKEN
            6, 0, 2, 0, 2, 0, 0, 0,                             // FAMILY
            5, 0, 3, 0, 7, 0, 0, 0,                             // LOC_ID
            5, 0, 4, 0, 0, 0, 0, 0,                             // REM_ID
            8, 0, 5, 0, 10, 7, 2, 1,                            // SADDR4
            8, 0, 7, 0, 10, 7, 1, 2,                            // DADDR4
            6, 0, 9, 0, 0xd4, 0xc7, 0, 0,                       // SPORT 54471
            6, 0, 10, 0, 0x1d, 0x13, 0, 0,                      // DPORT 7443
            5, 0, 11, 0, 1, 0, 0, 0,                            // BACKUP
            6, 0, 13, 0, 2, 0, 0, 0,                            // FLAGS: server side
        ];
        var events = new List<MptcpEvent>();
        MptcpEventMonitor.Parse(bytes, 30, events);
        events.ShouldBe(
        [
            new MptcpEvent(MptcpEventKind.SubflowEstablished)
            {
                Token = 0x12345678,
                Local = new IPEndPoint(IPAddress.Parse("10.7.2.1"), 54471),
                Remote = new IPEndPoint(IPAddress.Parse("10.7.1.2"), 7443),
                LocalId = 7,
                RemoteId = 0,
                IsBackup = true,
                IsServerSide = true,
            },
        ]);
    }

    [Theory]
    [InlineData("limit greater than maximum (8)", 8u)]
    [InlineData("limit greater than maximum (64)", 64u)]
    [InlineData("limit greater than maximum", null)]
    [InlineData("odd ) text (", null)]
    [InlineData("(x)", null)]
    [InlineData(null, null)]
    public void The_maximum_is_read_out_of_a_refusal(string? text, uint? expected) => MptcpPathManager.MaximumOf(text).ShouldBe(expected);

    private static void Write<T>(byte[] bytes, int offset, T value)
        where T : unmanaged
        => MemoryMarshal.Write(bytes.AsSpan(offset), in value);
}
