using System.Net;
using Aggregator.Doctor;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Doctor;

public sealed class EchoDatagramTests
{
    private static readonly byte[] Token = [.. Enumerable.Range(1, EchoDatagram.TokenBytes).Select(i => (byte)i)];

    [Fact]
    public void Requests_come_through() => Prop.ForAll<byte, ulong>((flags, nonce) =>
    {
        var datagram = new byte[EchoDatagram.Bytes];
        EchoDatagram.WriteRequest(datagram, Token, flags, nonce);
        return EchoDatagram.TryReadRequest(datagram, Token, out byte readFlags, out ulong readNonce) && readFlags == flags && readNonce == nonce;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Answers_come_through_in_both_families() => Prop.ForAll<ushort, ulong, bool>((port, nonce, v6) =>
    {
        var seen = new IPEndPoint(v6 ? IPAddress.Parse("2001:db8::7") : IPAddress.Parse("203.0.113.7"), port);
        var datagram = new byte[EchoDatagram.Bytes];
        EchoDatagram.WriteAnswer(datagram, Token, 1, nonce, seen);
        return EchoDatagram.TryReadAnswer(datagram, Token, out var answer) && answer == new EchoAnswer(1, nonce, seen);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Any_other_bytes_are_neither() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
        !EchoDatagram.TryReadRequest(bytes, Token, out _, out _) && !EchoDatagram.TryReadAnswer(bytes, Token, out _)).QuickCheckThrowOnFailure();

    [Fact]
    public void Only_who_has_the_whole_token_is_read() => Prop.ForAll(Gen.Choose(0, EchoDatagram.TokenBytes - 1).ToArbitrary(), wrong =>
    {
        var datagram = new byte[EchoDatagram.Bytes];
        EchoDatagram.WriteRequest(datagram, Token, 0, 1);
        datagram[wrong] ^= 1;
        return !EchoDatagram.TryReadRequest(datagram, Token, out _, out _);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Lengths_other_than_the_one_are_refused() => Prop.ForAll(Gen.Choose(0, 2 * EchoDatagram.Bytes).ToArbitrary(), length =>
    {
        var datagram = new byte[Math.Max(length, EchoDatagram.Bytes)];
        EchoDatagram.WriteRequest(datagram, Token, 0, 1);
        return EchoDatagram.TryReadRequest(datagram.AsSpan(0, length), Token, out _, out _) == (length == EchoDatagram.Bytes);
    }).QuickCheckThrowOnFailure();
}
