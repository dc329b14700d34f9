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

namespace Aggregator.Shared.Tests.Netlink;

public sealed class NetlinkReaderTests
{
    private const ushort Family = 30;

    private static readonly ushort[] KnownTypes =
    [
        Libc.RTM_NEWLINK, Libc.RTM_DELLINK, Libc.RTM_NEWADDR, Libc.RTM_NEWROUTE, Libc.RTM_DELROUTE, Libc.RTM_NEWRULE,
        Libc.RTM_NEWQDISC, Libc.RTM_NEWTCLASS, Libc.RTM_NEWNEIGH,
        Libc.NLMSG_ERROR, Libc.NLMSG_DONE, Family,
    ];

    [Fact]
    public void Any_bytes_are_walked_to_an_end_inside_them() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        var reader = new NetlinkReader(bytes);
        int covered = 0;
        while (reader.TryNext(out NetlinkMessage message))
        {
            covered += Unsafe.SizeOf<Libc.nlmsghdr>() + message.Payload.Length;
            WalkAttributes(new NetlinkAttributes(message.Payload), depth: 4);
        }

        WalkAttributes(new NetlinkAttributes(bytes), depth: 4);
        return covered <= bytes.Length && (reader.Malformed || covered >= bytes.Length - 3);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Every_parser_takes_any_payload() => Prop.ForAll(Messages.ToArbitrary(), datagram =>
    {
        var routeEvents = new List<NetlinkEvent>();
        var mptcpEvents = new List<MptcpEvent>();
        RouteMonitor.Parse(datagram, routeEvents);
        MptcpEventMonitor.Parse(datagram, Family, mptcpEvents);
        var reader = new NetlinkReader(datagram);
        int messages = 0;
        while (reader.TryNext(out NetlinkMessage message))
        {
            messages++;
            _ = LinkInfo.TryParse(in message, out _);
            _ = AddressInfo.TryParse(in message, out _);
            _ = RouteInfo.TryParse(in message, out _);
            _ = RuleInfo.TryParse(in message, out _);
            _ = QdiscInfo.TryParse(in message, out _);
            _ = NeighbourInfo.TryParse(in message, out _);
            _ = MptcpEndpoint.TryParse(in message, out _);
            NetlinkAcknowledgement.Read(in message).ToString().ShouldNotBeNull();
        }

        // Each message makes at most one event, and a bad end one more.
        return routeEvents.Count <= messages + 1 && mptcpEvents.Count <= messages + 1;
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void What_the_writer_writes_the_reader_reads() => Prop.ForAll(Attributes.ToArbitrary(), attributes =>
    {
        byte[] buffer = new byte[64 * 1024];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(77, Libc.NLM_F_REQUEST);
        writer.Write(new Libc.rtmsg { rtm_family = 9, rtm_flags = 0x01020304 });
        foreach ((ushort type, byte[] value) in attributes)
        {
            writer.Attribute(type, value);
            int nest = writer.BeginNested(type);
            writer.Attribute(type, value);
            writer.EndNested(nest);
        }

        int length = writer.Complete();
        var reader = new NetlinkReader(buffer.AsSpan(0, length));
        reader.TryNext(out NetlinkMessage message).ShouldBeTrue();
        message.Type.ShouldBe((ushort)77);
        message.TryRead(out Libc.rtmsg header, out NetlinkAttributes found).ShouldBeTrue();
        header.rtm_flags.ShouldBe(0x01020304u);
        foreach ((ushort type, byte[] value) in attributes)
        {
            found.TryNext(out NetlinkAttribute plain).ShouldBeTrue();
            plain.Type.ShouldBe(type);
            plain.Value.SequenceEqual(value).ShouldBeTrue();
            found.TryNext(out NetlinkAttribute nested).ShouldBeTrue();
            nested.Type.ShouldBe(type);
            NetlinkAttributes inner = nested.Nested;
            inner.TryNext(out NetlinkAttribute only).ShouldBeTrue();
            only.Value.SequenceEqual(value).ShouldBeTrue();
            inner.TryNext(out _).ShouldBeFalse();
        }

        return !found.TryNext(out _) && !found.Malformed && !reader.TryNext(out _) && !reader.Malformed;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Reading_allocates_nothing()
    {
        byte[] buffer = new byte[4096];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(Libc.RTM_NEWROUTE, 0);
        writer.Write(default(Libc.rtmsg));
        writer.Attribute(Libc.RTA_TABLE, 7001u);
        int nest = writer.BeginNested(Libc.RTA_MULTIPATH);
        writer.Attribute(Libc.RTA_OIF, 3);
        writer.EndNested(nest);
        int length = writer.Complete();
        Sum(buffer.AsSpan(0, length));

        long before = GC.GetAllocatedBytesForCurrentThread();
        uint sum = 0;
        for (int i = 0; i < 1000; i++)
        {
            sum += Sum(buffer.AsSpan(0, length));
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBe(0);
        sum.ShouldBe(1000u * 7004);
    }

    [Fact]
    public void A_writer_that_outgrows_its_buffer_throws_and_writes_nothing_beyond()
    {
        byte[] buffer = new byte[32];
        Should.Throw<InvalidOperationException>(() =>
        {
            var writer = new NetlinkWriter(buffer.AsSpan(0, 24));
            writer.Begin(1, 0);
            writer.Attribute(1, new byte[5]);
        });
        buffer.AsSpan(16).ToArray().ShouldAllBe(b => b == 0);
    }

    [Fact]
    public void An_acknowledgement_carries_errno_and_text()
    {
        byte[] buffer = new byte[256];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(Libc.NLMSG_ERROR, Libc.NLM_F_CAPPED | Libc.NLM_F_ACK_TLVS);
        writer.Write(-17);
        writer.Write(new Libc.nlmsghdr { nlmsg_len = 900, nlmsg_type = Libc.RTM_NEWROUTE });
        writer.Attribute(Libc.NLMSGERR_ATTR_OFFS, 40u);
        writer.Attribute(Libc.NLMSGERR_ATTR_MSG, "Route exists");
        var reader = new NetlinkReader(buffer.AsSpan(0, writer.Complete()));
        reader.TryNext(out NetlinkMessage message).ShouldBeTrue();

        NetlinkResult result = NetlinkAcknowledgement.Read(in message);

        result.ShouldBe(new NetlinkResult(17, "Route exists"));
        result.IsAlreadyThere.ShouldBeTrue();
        result.ToString().ShouldBe("File exists (errno 17): Route exists");
    }

    /// <summary>RTM_NEWROUTE, laid out by linux/rtnetlink.h: default via 10.7.1.2 dev 2 table 7001 proto 201 metric 5 onlink.</summary>
    [Fact]
    public void A_route_is_read_from_its_bytes()
    {
        byte[] bytes =
        [
            0x3c, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // length 60, RTM_NEWROUTE
            2, 0, 0, 0, 0, 201, 0, 1, 4, 0, 0, 0,               // AF_INET, table in an attribute, protocol, universe, unicast, RTNH_F_ONLINK
            8, 0, 15, 0, 0x59, 0x1b, 0, 0,                      // RTA_TABLE 7001
            8, 0, 6, 0, 5, 0, 0, 0,                             // RTA_PRIORITY 5
            8, 0, 5, 0, 10, 7, 1, 2,                            // RTA_GATEWAY
            8, 0, 4, 0, 2, 0, 0, 0,                             // RTA_OIF 2
        ];
        var events = new List<NetlinkEvent>();
        RouteMonitor.Parse(bytes, events);
        RouteInfo expected = RouteInfo.Unicast(RouteInfo.AnyIPv4, IPAddress.Parse("10.7.1.2"), 2, 7001, 201, priority: 5, onlink: true);
        events.ShouldBe([new NetlinkEvent.RouteChanged(expected)]);

        // One byte short: nothing is read beyond the end, and the loss is told.
        events.Clear();
        RouteMonitor.Parse(bytes.AsSpan(0, bytes.Length - 1), events);
        events.ShouldBe([new NetlinkEvent.EventsLost()]);

        // The wanted form makes the same attributes.
        byte[] buffer = new byte[256];
        var writer = new NetlinkWriter(buffer);
        expected.Write(ref writer, Libc.RTM_NEWROUTE, 0);
        events.Clear();
        RouteMonitor.Parse(buffer.AsSpan(0, writer.Complete()), events);
        events.ShouldBe([new NetlinkEvent.RouteChanged(expected)]);
    }

    [Theory]
    [InlineData("10.7.1.255", 24, "10.7.1.0/24")]
    [InlineData("10.7.255.255", 17, "10.7.128.0/17")]
    [InlineData("255.255.255.255", 0, "0.0.0.0/0")]
    [InlineData("10.7.1.3", 32, "10.7.1.3/32")]
    [InlineData("fd07:ffff::1", 28, "fd07:fff0::/28")]
    public void A_prefix_keeps_only_its_bits(string address, int length, string expected)
        => Prefixes.Containing(IPAddress.Parse(address), length).ToString().ShouldBe(expected);

    /// <summary>Messages of known kinds with any payload, some with attributes of plausible lengths, in one datagram.</summary>
    private static Gen<byte[]> Messages =>
        from payloads in Gen.ListOf(
            from type in Gen.Elements(KnownTypes)
            from flags in Gen.Elements<ushort>(0, Libc.NLM_F_ACK_TLVS, Libc.NLM_F_ACK_TLVS | Libc.NLM_F_CAPPED)
            from family in Gen.Elements<byte>(0, 2, 10, 255)
            from fixedPart in Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), 16)
            from attributes in Attributes
            from noise in ArbMap.Default.GeneratorFor<byte[]>()
            select Message(type, flags, family, fixedPart, attributes, noise))
        from cut in Gen.Choose(0, 3)
        let all = payloads.SelectMany(p => p).ToArray()
        select all[..Math.Max(0, all.Length - cut)];

    private static Gen<(ushort Type, byte[] Value)[]> Attributes =>
        Gen.ArrayOf(
            from type in Gen.Choose(1, 40)
            from length in Gen.Elements(0, 1, 2, 3, 4, 6, 8, 16, 18, 20, 64, 200)
            from value in Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), length)
            select ((ushort)type, value));

    private static byte[] Message(ushort type, ushort flags, byte family, byte[] fixedPart, (ushort Type, byte[] Value)[] attributes, byte[] noise)
    {
        byte[] buffer = new byte[64 * 1024];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(type, flags);
        fixedPart[0] = family;
        int fixedLength = type is Libc.RTM_NEWLINK or Libc.RTM_DELLINK ? 16 : type is Libc.RTM_NEWADDR ? 8 : type == Family ? 4 : 12;
        for (int i = 0; i < fixedLength; i += 4)
        {
            writer.Write(MemoryMarshal.Read<uint>(fixedPart.AsSpan(i)));
        }

        foreach ((ushort attribute, byte[] value) in attributes)
        {
            writer.Attribute(attribute, value);
        }

        foreach (byte b in noise)
        {
            writer.Write(b);
        }

        return buffer[..writer.Complete()];
    }

    private static void WalkAttributes(NetlinkAttributes attributes, int depth)
    {
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            _ = attribute.TryRead(out ulong _);
            _ = attribute.TryReadAddress(out _);
            attribute.ReadString().ShouldNotBeNull();
            if (depth > 0)
            {
                WalkAttributes(attribute.Nested, depth - 1);
            }
        }
    }

    private static uint Sum(ReadOnlySpan<byte> datagram)
    {
        uint sum = 0;
        var reader = new NetlinkReader(datagram);
        while (reader.TryNext(out NetlinkMessage message) && message.TryRead(out Libc.rtmsg _, out NetlinkAttributes attributes))
        {
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                NetlinkAttributes inner = attribute.Nested;
                if (attribute.Type == Libc.RTA_TABLE && attribute.TryRead(out uint table))
                {
                    sum += table;
                }
                else if (inner.TryNext(out NetlinkAttribute nested) && nested.TryRead(out uint index))
                {
                    sum += index;
                }
            }
        }

        return sum;
    }
}
