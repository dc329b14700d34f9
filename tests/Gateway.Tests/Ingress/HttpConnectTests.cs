using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Ingress;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class HttpConnectTests
{
    [Fact]
    public void A_request_is_understood_however_it_is_cut()
    {
        var cases = from target in Targets.Any
                    from sizes in ArbMap.Default.GeneratorFor<int[]>()
                    from behind in ArbMap.Default.GeneratorFor<byte[]>()
                    from newline in Gen.Elements("\r\n", "\n")
                    from version in Gen.Elements("HTTP/1.1", "HTTP/1.0")
                    from fields in Gen.Elements("", "Host: a", "User-Agent: curl/8.0 (x)", "Proxy-Connection: keep-alive", "X-Empty:").ListOf()
                    select (target, sizes, behind, newline, version, fields);
        Prop.ForAll(cases.ToArbitrary(), x =>
        {
            string head = $"CONNECT {Targets.Authority(x.target)} {x.version}{x.newline}"
                + string.Concat(x.fields.Where(f => f.Length > 0).Select(f => f + x.newline)) + x.newline;
            byte[] request = Encoding.ASCII.GetBytes(head);
            byte[] all = [.. request, .. x.behind];
            int scanned = 0;
            Targets.Grow(all, x.sizes, length =>
            {
                HttpParse parse = HttpConnect.Parse(all.AsSpan(0, length), ref scanned, out FlowTarget target, out int consumed);
                if (length < request.Length)
                {
                    parse.ShouldBe(HttpParse.NeedMore);
                    return true;
                }
                parse.ShouldBe(HttpParse.Done);
                consumed.ShouldBe(request.Length);
                target.ShouldBe(x.target);
                return false;
            });
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>Whatever comes: no exception, the same verdict in one piece and in parts, and never more consumed than given.</summary>
    [Fact]
    public void Garbage_gets_the_same_verdict_however_it_is_cut()
    {
        var piece = Gen.Elements("CONNECT ", "GET ", "a:1", "[::1]:2", "[", "]", ":", " ", "HTTP/1.1", "\r\n", "\n", "\r", "Host: x", "\0", "é", "\r\n\r\n", "65536");
        var cases = from text in piece.ListOf()
                    from noise in ArbMap.Default.GeneratorFor<byte[]>()
                    from sizes in ArbMap.Default.GeneratorFor<int[]>()
                    select ((byte[])[.. Encoding.Latin1.GetBytes(string.Concat(text)), .. noise], sizes);
        Prop.ForAll(cases.ToArbitrary(), x =>
        {
            (byte[] input, int[] sizes) = x;
            int once = 0;
            HttpParse whole = HttpConnect.Parse(input, ref once, out FlowTarget expected, out int consumed);
            consumed.ShouldBeInRange(0, input.Length);
            int scanned = 0;
            HttpParse last = HttpParse.NeedMore;
            FlowTarget target = default;
            Targets.Grow(input, sizes, length =>
            {
                last = HttpConnect.Parse(input.AsSpan(0, length), ref scanned, out target, out _);
                return last == HttpParse.NeedMore;
            });
            last.ShouldBe(whole);
            target.ShouldBe(expected);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("CONNECT a:443 HTTP/1.1\r\n\r\n", HttpParse.Done)]
    [InlineData("CONNECT a HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:0 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:65536 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:+1 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:080 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT :443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT ::1:443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT [::1]:443 HTTP/1.1\r\n\r\n", HttpParse.Done)]
    [InlineData("CONNECT [::1%lo]:443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT [a]:443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT u@a:443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT http://a:443/ HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:443 HTTP/2.0\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:443\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT  a:443 HTTP/1.1\r\n\r\n", HttpParse.Bad)]
    [InlineData("connect a:443 HTTP/1.1\r\n\r\n", HttpParse.OtherMethod)]
    [InlineData("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", HttpParse.OtherMethod)]
    [InlineData("CONNECT a:443 HTTP/1.1\r\n folded\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:443 HTTP/1.1\r\nno colon\r\n\r\n", HttpParse.Bad)]
    [InlineData("CONNECT a:443 HTTP/1.1\r\nHost : a\r\n\r\n", HttpParse.Bad)]
    [InlineData("\x16\x03\x01", HttpParse.Bad)]
    [InlineData("\x05\x01", HttpParse.Bad)]
    [InlineData("\r\n", HttpParse.Bad)]
    [InlineData("AVERYLONGWORDTHATCANNOTBEAMETHODINANYREGISTRY", HttpParse.Bad)]
    [InlineData("CONNECT", HttpParse.NeedMore)]
    [InlineData("", HttpParse.NeedMore)]
    internal void Requests_get_the_verdict_of_the_book(string text, HttpParse expected)
    {
        int scanned = 0;
        HttpConnect.Parse(Encoding.Latin1.GetBytes(text), ref scanned, out _, out _).ShouldBe(expected);
    }
}
