using System.Text;
using Aggregator.Doctor;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Doctor;

public sealed class HttpAnswerTests
{
    [Theory]
    [InlineData("HTTP/1.1 302 Found\r\nServer: x\r\nlocation:  http://login.test/a \r\n\r\n", 302, "http://login.test/a")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nLocation: http://body.test/\r\n", 200, "")]
    [InlineData("HTTP/1.1 204\r\n", 204, "")]
    [InlineData("HTTP/1.1 511 Network Authentication Required\n\n", 511, "")]
    public void Status_and_location_are_read(string text, int status, string location) =>
        HttpAnswer.TryParse(Encoding.Latin1.GetBytes(text)).ShouldBe(new HttpAnswer(status, location));

    [Theory]
    [InlineData("")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("HTTP/2 200\r\n")]
    [InlineData("HTTP/1.1 -20 x\r\n")]
    [InlineData("HTTP/1.1 2000 x\r\n")]
    [InlineData("HTTP/1.1")]
    public void What_is_no_http_is_none(string text) => HttpAnswer.TryParse(Encoding.Latin1.GetBytes(text)).ShouldBeNull();

    [Fact]
    public void Any_bytes_are_taken_and_nothing_unprintable_comes_out() => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
    {
        HttpAnswer.TryParse(bytes);
        byte[] head = [.. "HTTP/1.1 302 x\r\nLocation: "u8, .. bytes];
        var answer = HttpAnswer.TryParse(head);
        return answer is { Status: 302 } && answer.Location.Length <= HttpAnswer.MaxLocation && answer.Location.All(c => c is > ' ' and <= '~');
    }).QuickCheckThrowOnFailure();
}
