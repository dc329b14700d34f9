using System.Net;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Ingress;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class Socks5Tests
{
    private static readonly Arbitrary<(FlowTarget Target, int[] Sizes, byte[] Behind)> Requests =
        (from target in Targets.Any
         from sizes in ArbMap.Default.GeneratorFor<int[]>()
         from behind in ArbMap.Default.GeneratorFor<byte[]>()
         select (target, sizes, behind)).ToArbitrary();

    /// <summary>However a request is cut, it is not understood before it is whole, then exactly, and nothing behind it is taken.</summary>
    [Fact]
    public void A_request_is_understood_however_it_is_cut()
    {
        Prop.ForAll(Requests, x =>
        {
            byte[] request = Targets.Socks5Request(x.Target);
            byte[] all = [.. request, .. x.Behind];
            Targets.Grow(all, x.Sizes, length =>
            {
                SocksParse parse = Socks5.ParseRequest(all.AsSpan(0, length), out var command, out var target, out int consumed);
                if (length < request.Length)
                {
                    parse.ShouldBe(SocksParse.NeedMore);
                    consumed.ShouldBe(0);
                    return true;
                }
                parse.ShouldBe(SocksParse.Done);
                consumed.ShouldBe(request.Length);
                command.ShouldBe(SocksCommand.Connect);
                target.ShouldBe(x.Target);
                return false;
            });
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Credentials_are_understood_however_they_are_cut()
    {
        var short255 = ArbMap.Default.GeneratorFor<byte>().ArrayOf(5);
        var cases = from name in Gen.OneOf(short255, ArbMap.Default.GeneratorFor<byte>().ArrayOf(255), Gen.Constant(Array.Empty<byte>()))
                    from password in Gen.OneOf(short255, ArbMap.Default.GeneratorFor<byte>().ArrayOf(255), Gen.Constant(Array.Empty<byte>()))
                    from sizes in ArbMap.Default.GeneratorFor<int[]>()
                    select (name, password, sizes);
        Prop.ForAll(cases.ToArbitrary(), x =>
        {
            byte[] message = [1, (byte)x.name.Length, .. x.name, (byte)x.password.Length, .. x.password];
            byte[] all = [.. message, 5, 1, 0];
            Targets.Grow(all, x.sizes, length =>
            {
                SocksParse parse = Socks5.ParseCredentials(all.AsSpan(0, length), out var name, out var password, out int consumed);
                if (length < message.Length)
                {
                    parse.ShouldBe(SocksParse.NeedMore);
                    return true;
                }
                parse.ShouldBe(SocksParse.Done);
                name.SequenceEqual(x.name).ShouldBeTrue();
                password.SequenceEqual(x.password).ShouldBeTrue();
                consumed.ShouldBe(message.Length);
                return false;
            });
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Garbage_is_refused_or_stays_within_its_bounds()
    {
        var bytes = from first in Gen.Frequency((3, Gen.Constant((byte)5)), (1, Gen.Constant((byte)1)), (1, ArbMap.Default.GeneratorFor<byte>()))
                    from rest in ArbMap.Default.GeneratorFor<byte>().ArrayOf(600)
                    from length in Gen.Choose(0, 600)
                    select (byte[])[first, .. rest[..length]];
        Prop.ForAll(bytes.ToArbitrary(), input =>
        {
            Check(Socks5.ParseGreeting(input, out _, out int greeting), greeting);
            Check(Socks5.ParseCredentials(input, out _, out _, out int credentials), credentials);
            Check(Socks5.ParseRequest(input, out _, out _, out int request), request);

            void Check(SocksParse parse, int consumed)
            {
                consumed.ShouldBeInRange(0, Math.Min(input.Length, Socks5.MaxMessageBytes));
                if (input.Length >= Socks5.MaxMessageBytes)
                {
                    parse.ShouldNotBe(SocksParse.NeedMore);
                }
            }
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("050100", SocksMethods.NoAuthentication)]
    [InlineData("050102", SocksMethods.UsernamePassword)]
    [InlineData("05020002", SocksMethods.NoAuthentication | SocksMethods.UsernamePassword)]
    [InlineData("05020180", SocksMethods.None)]
    internal void The_methods_offered_are_read(string hex, SocksMethods expected)
    {
        Socks5.ParseGreeting(Convert.FromHexString(hex), out SocksMethods methods, out int consumed).ShouldBe(SocksParse.Done);
        methods.ShouldBe(expected);
        consumed.ShouldBe(hex.Length / 2);
    }

    [Theory]
    [InlineData("0401005001020304")]
    [InlineData("474554202f")]
    [InlineData("16030100")]
    [InlineData("0500")]
    public void Other_protocols_are_told_by_their_first_bytes(string hex) =>
        Socks5.ParseGreeting(Convert.FromHexString(hex), out _, out _).ShouldBe(SocksParse.Bad);

    [Theory]
    [InlineData("050400", SocksParse.BadCommand)]
    [InlineData("05010002", SocksParse.BadAddressType)]
    [InlineData("0501000300" + "0050", SocksParse.Bad)]
    [InlineData("0501000301" + "20" + "0050", SocksParse.Bad)]
    [InlineData("0501000303" + "61ff62" + "0050", SocksParse.Bad)]
    internal void A_bad_request_is_named(string hex, SocksParse expected) =>
        Socks5.ParseRequest(Convert.FromHexString(hex), out _, out _, out _).ShouldBe(expected);

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7:80")]
    [InlineData("2001:db8::1", "[2001:db8::1]:80")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7:80")]
    [InlineData("1.2.3", "1.2.3:80")]
    [InlineData("0x7f.0.0.1", "0x7f.0.0.1:80")]
    [InlineData("192.0.2.07", "192.0.2.07:80")]
    public void A_name_that_is_an_address_becomes_one(string name, string expected)
    {
        byte[] request = [5, 1, 0, 3, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), 0, 80];
        Socks5.ParseRequest(request, out _, out FlowTarget target, out _).ShouldBe(SocksParse.Done);
        target.ToString().ShouldBe(expected);
        (target.Address is not null).ShouldBe(name is "192.0.2.7" or "2001:db8::1" or "::ffff:192.0.2.7");
    }

    [Fact]
    public void A_reply_has_the_bound_address_in_its_own_family()
    {
        byte[] output = new byte[Socks5.MaxReplyBytes];
        int length = Socks5.WriteReply(output, SocksReply.Succeeded, new IPEndPoint(IPAddress.Parse("::ffff:198.51.100.9"), 40000));
        Convert.ToHexString(output, 0, length).ShouldBe("05000001C63364099C40");
        length = Socks5.WriteReply(output, SocksReply.Succeeded, IPEndPoint.Parse("[2001:db8::2]:1"));
        Convert.ToHexString(output, 0, length).ShouldBe("0500000420010DB80000000000000000000000020001");
        length = Socks5.WriteReply(output, SocksReply.ConnectionRefused, null);
        Convert.ToHexString(output, 0, length).ShouldBe("05050001000000000000");
    }

    [Theory]
    [InlineData(OpenResult.Opened, 0)]
    [InlineData(OpenResult.Failed, 1)]
    [InlineData(OpenResult.NotAllowed, 2)]
    [InlineData(OpenResult.NetworkUnreachable, 3)]
    [InlineData(OpenResult.HostUnreachable, 4)]
    [InlineData(OpenResult.Refused, 5)]
    [InlineData(OpenResult.TimedOut, 6)]
    [InlineData(OpenResult.NameNotFound, 4)]
    [InlineData(OpenResult.Busy, 1)]
    [InlineData(OpenResult.NoCarrier, 3)]
    internal void Every_result_has_its_reply_code(OpenResult result, byte code) => ((byte)Socks5.ReplyFor(result)).ShouldBe(code);
}
