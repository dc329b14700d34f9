using System.Runtime.InteropServices;
using Aggregator.Interop;
using Aggregator.Netlink;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Netlink;

public sealed class QdiscInfoTests
{
    private static readonly string[] Kinds = ["tbf", "htb", "cake", "netem", "fq_codel", "noqueue", "", "ingress"];

    [Fact]
    public void A_wide_rate_is_taken_before_a_narrow_one()
    {
        var narrow = new Libc.tc_tbf_qopt { rate = new Libc.tc_ratespec { rate = 625_000 } };
        Parse("tbf", (Libc.TCA_TBF_PARMS, Bytes(narrow))).BytesPerSecond.ShouldBe(625_000UL);
        narrow.rate.rate = uint.MaxValue;
        Parse("tbf", (Libc.TCA_TBF_PARMS, Bytes(narrow)), (Libc.TCA_TBF_RATE64, BitConverter.GetBytes(10_000_000_000UL))).BytesPerSecond.ShouldBe(10_000_000_000UL);
        var htb = new Libc.tc_htb_opt { rate = new Libc.tc_ratespec { rate = 1 }, ceil = new Libc.tc_ratespec { rate = 2500 } };
        Parse("htb", (Libc.TCA_HTB_PARMS, Bytes(htb))).BytesPerSecond.ShouldBe(2500UL);
        Parse("cake", (Libc.TCA_CAKE_BASE_RATE64, BitConverter.GetBytes(1250UL))).BytesPerSecond.ShouldBe(1250UL);
    }

    [Fact]
    public void What_limits_nothing_has_no_rate()
    {
        Parse("cake", (Libc.TCA_CAKE_BASE_RATE64, BitConverter.GetBytes(0UL))).BytesPerSecond.ShouldBeNull();
        Parse("fq_codel", (Libc.TCA_TBF_PARMS, new byte[64])).BytesPerSecond.ShouldBeNull();
        Parse("tbf").BytesPerSecond.ShouldBeNull();
    }

    [Fact]
    public void Any_options_of_any_kind_are_taken() => Prop.ForAll(
        Gen.Elements(Kinds).ToArbitrary(),
        ArbMap.Default.ArbFor<byte[]>(),
        (kind, options) =>
        {
            byte[] message = Message(kind, options);
            new NetlinkReader(message).TryNext(out NetlinkMessage read);
            return QdiscInfo.TryParse(in read, out var qdisc) && qdisc!.Kind == kind;
        }).QuickCheckThrowOnFailure();

    private static QdiscInfo Parse(string kind, params (ushort Type, byte[] Value)[] options)
    {
        var buffer = new byte[4096];
        var writer = new NetlinkWriter(buffer);
        foreach (var (type, value) in options)
        {
            writer.Attribute(type, value);
        }

        byte[] message = Message(kind, buffer[..writer.Length]);
        new NetlinkReader(message).TryNext(out NetlinkMessage read).ShouldBeTrue();
        QdiscInfo.TryParse(in read, out var qdisc).ShouldBeTrue();
        qdisc!.InterfaceIndex.ShouldBe(7);
        return qdisc;
    }

    private static byte[] Message(string kind, byte[] options)
    {
        var buffer = new byte[8192];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(Libc.RTM_NEWQDISC, 0);
        writer.Write(new Libc.tcmsg { tcm_ifindex = 7 });
        writer.Attribute(Libc.TCA_KIND, kind);
        writer.Attribute(Libc.TCA_OPTIONS, options);
        return buffer[..writer.Complete()];
    }

    private static byte[] Bytes<T>(T value)
        where T : unmanaged
        => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();
}
