using System.Net;
using Aggregator.WireGuard;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.WireGuard;

public sealed class UapiTextTests
{
    private static readonly WireGuardKey Key = WireGuardKey.Of([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);
    private static readonly string Hex = Key.ToHex();

    [Fact]
    public void A_change_is_written_as_the_protocol_says()
    {
        var change = new WireGuardChange(Key, 51820, ReplacePeers: true,
        [
            new WireGuardPeer(Key, [IPNetwork.Parse("10.0.0.2/32"), IPNetwork.Parse("fd00::2/128")]) { EndPoint = IPEndPoint.Parse("[2001:db8::1]:7"), KeepAliveS = 25 },
            new WireGuardPeer(Key, [IPNetwork.Parse("10.0.0.3/32")]) { Remove = true },
        ]);
        UapiText.Set(change).ShouldBe(
            $"set=1\nprivate_key={Hex}\nlisten_port=51820\nreplace_peers=true\npublic_key={Hex}\nendpoint=[2001:db8::1]:7\npersistent_keepalive_interval=25\n"
            + $"replace_allowed_ips=true\nallowed_ip=10.0.0.2/32\nallowed_ip=fd00::2/128\npublic_key={Hex}\nremove=true\n\n");
        UapiText.Set(new WireGuardChange(null, null, false, [])).ShouldBe("set=1\n\n");
    }

    [Fact]
    public void An_answer_is_read()
    {
        string answer = $"private_key={Hex}\nlisten_port=51820\npublic_key={Hex}\npreshared_key={new string('0', 64)}\nprotocol_version=1\nendpoint=203.0.113.9:4711\n"
            + $"last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\ntx_bytes=12\nrx_bytes=34\nallowed_ip=10.0.0.2/32\nnew_thing=x\npublic_key={Hex}\n"
            + "last_handshake_time_sec=0\ntx_bytes=0\nrx_bytes=0\nerrno=0\n\n";
        UapiText.Errno(answer).ShouldBe(0);
        var peers = UapiText.Peers(answer).ShouldNotBeNull();
        peers[0].ShouldBe(new WireGuardPeerState(Key, IPEndPoint.Parse("203.0.113.9:4711"), DateTimeOffset.FromUnixTimeSeconds(1700000000), 34, 12));
        peers[1].ShouldBe(new WireGuardPeerState(Key, null, null, 0, 0));
        peers.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("public_key=00\nerrno=0\n\n")]
    [InlineData("public_key=KEY\nendpoint=nowhere\n")]
    [InlineData("public_key=KEY\nendpoint=1.2.3.4\n")]
    [InlineData("public_key=KEY\nrx_bytes=-1\n")]
    [InlineData("public_key=KEY\ntx_bytes=99999999999999999999\n")]
    [InlineData("public_key=KEY\nlast_handshake_time_sec=18446744073709551615\n")]
    public void A_value_that_cannot_be_one_is_no_answer(string answer) => UapiText.Peers(answer.Replace("KEY", Hex, StringComparison.Ordinal)).ShouldBeNull();

    [Theory]
    [InlineData("errno=-98\n\n", 98)]
    [InlineData("errno=2\n\n", 2)]
    [InlineData("errno=x\n\n", null)]
    [InlineData("", null)]
    public void Errno_is_found(string answer, int? errno) => UapiText.Errno(answer).ShouldBe(errno);

    [Fact]
    public void Any_text_is_read_or_not() => Prop.ForAll(Lines.ToArbitrary(), lines =>
    {
        string text = string.Join('\n', lines);
        _ = UapiText.Errno(text);
        return UapiText.Peers(text) is not { } peers || peers.Count <= lines.Length;
    }).QuickCheckThrowOnFailure();

    /// <summary>Half of the lines are nearly right.</summary>
    private static Gen<string[]> Lines => Gen.OneOf(
        ArbMap.Default.GeneratorFor<string>().Select(s => s ?? ""),
        from name in Gen.Elements("public_key", "endpoint", "last_handshake_time_sec", "rx_bytes", "tx_bytes", "errno", "")
        from value in Gen.OneOf(Gen.Elements(Hex, "1.2.3.4:5", "[::1]:0", ":", "0", "-0", "1e3"), ArbMap.Default.GeneratorFor<string>().Select(s => s ?? ""))
        select $"{name}={value}").ArrayOf();
}
