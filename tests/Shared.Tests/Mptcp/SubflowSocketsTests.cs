using System.Runtime.CompilerServices;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Mptcp;

/// <summary>What the kernel of 6.18 answered, and anything else.</summary>
public sealed class SubflowSocketsTests
{
    private const string FullSubflow =
        "0a0001006d707463700000005800030008000100000000000800020005ab26db08000800c3000000050009000000000005000a00000000000800030001000000"
        + "0c000400f8c42d2378e3378b0800050001000000080006005b74e4660600070000000000";

    [Fact]
    public void Structures_are_as_long_as_the_kernels()
    {
        Unsafe.SizeOf<Libc.inet_diag_sockid>().ShouldBe(48);
        Unsafe.SizeOf<Libc.inet_diag_req_v2>().ShouldBe(56);
        Unsafe.SizeOf<Libc.inet_diag_msg>().ShouldBe(72);
    }

    [Fact]
    public void A_subflow_is_told_from_plain_TCP_and_from_what_fell_back()
    {
        SubflowSocket found = Parse(Convert.FromHexString(FullSubflow))!;
        found.Local.ToString().ShouldBe("10.11.1.2:40000");
        found.Remote.ToString().ShouldBe("198.51.100.2:7443");
        found.State.ShouldBe(TcpState.Established);
        Parse(null).ShouldBeNull("plain TCP");
        // Asked for (MCAP_LOC), and not agreed to.
        Parse(Convert.FromHexString(FullSubflow.Replace("08000800c3000000", "0800080042000000", StringComparison.Ordinal))).ShouldBeNull("it fell back");
        Parse(Convert.FromHexString("08000100746c7300")).ShouldBeNull("another protocol above TCP");
    }

    [Fact]
    public void Any_answer_is_taken() => Prop.ForAll(
        ArbMap.Default.ArbFor<byte[]>(),
        ulp =>
        {
            byte[] message = Message(ulp);
            new NetlinkReader(message).TryNext(out NetlinkMessage read);
            return SubflowSockets.TryParse(in read, out _);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_cut_off_answer_is_refused()
    {
        byte[] message = Message(Convert.FromHexString(FullSubflow));
        for (int length = 16; length < 16 + 72; length++)
        {
            byte[] cut = message[..length];
            BitConverter.TryWriteBytes(cut, length).ShouldBeTrue();
            new NetlinkReader(cut).TryNext(out NetlinkMessage read).ShouldBeTrue();
            SubflowSockets.TryParse(in read, out SubflowSocket? found).ShouldBeFalse();
            found.ShouldBeNull();
        }
    }

    private static SubflowSocket? Parse(byte[]? ulp)
    {
        new NetlinkReader(Message(ulp)).TryNext(out NetlinkMessage read).ShouldBeTrue();
        SubflowSockets.TryParse(in read, out SubflowSocket? found).ShouldBeTrue();
        return found;
    }

    private static byte[] Message(byte[]? ulp)
    {
        var buffer = new byte[4096];
        var writer = new NetlinkWriter(buffer);
        writer.Begin(Libc.SOCK_DIAG_BY_FAMILY, 0);
        var header = new Libc.inet_diag_msg { idiag_family = Libc.AF_INET, idiag_state = (byte)TcpState.Established };
        (header.id.idiag_sport, header.id.idiag_dport) = (0x409c, 0x131d);
        new byte[] { 10, 11, 1, 2 }.CopyTo(header.id.idiag_src);
        new byte[] { 198, 51, 100, 2 }.CopyTo(header.id.idiag_dst);
        writer.Write(header);
        if (ulp is not null)
        {
            writer.Attribute(Libc.INET_DIAG_ULP_INFO, ulp);
        }

        return buffer[..writer.Complete()];
    }
}
