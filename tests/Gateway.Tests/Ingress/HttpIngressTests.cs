using System.Net.Sockets;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Ingress;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class HttpIngressTests
{
    [Fact]
    public async Task A_tunnel_carries_bytes_sent_ahead_and_both_ends()
    {
        await using TestServer server = TestServer.Echo();
        var carrier = new DirectCarrier();
        await using IngressRig rig = await IngressRig.HttpAsync(carrier);
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync($"CONNECT {server.EndPoint} HTTP/1.1\r\nHost: {server.EndPoint}\r\n\r\nhello");
        client.Shutdown(SocketShutdown.Send);
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldBe("HTTP/1.1 200 Connection established\r\n\r\nhello");
        carrier.Opens.Single().FirstBytes.ShouldBe("hello"u8.ToArray());
    }

    [Theory]
    [InlineData("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed")]
    [InlineData("POST http://a/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed")]
    [InlineData("CONNECT nonsense HTTP/1.1\r\n\r\n", "400 Bad Request")]
    [InlineData("\u0016\u0003\u0001", "400 Bad Request")]
    public async Task What_is_no_CONNECT_is_told_so(string request, string status)
    {
        await using IngressRig rig = await IngressRig.HttpAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync(request);
        string answer = Encoding.ASCII.GetString(await client.ReadToEndAsync());
        answer.ShouldStartWith($"HTTP/1.1 {status}\r\n");
        string[] parts = answer.Split("\r\n\r\n");
        parts[0].ShouldContain($"Content-Length: {parts[1].Length}\r\n");
        parts[1].ShouldNotBeEmpty();
    }

    [Fact]
    public async Task HEAD_gets_no_body()
    {
        await using IngressRig rig = await IngressRig.HttpAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync("HEAD http://a/ HTTP/1.1\r\n\r\n");
        string answer = Encoding.ASCII.GetString(await client.ReadToEndAsync());
        answer.ShouldStartWith("HTTP/1.1 405 ");
        answer.ShouldEndWith("\r\n\r\n");
    }

    [Theory]
    [InlineData(OpenResult.NotAllowed, "403")]
    [InlineData(OpenResult.Refused, "502")]
    [InlineData(OpenResult.NameNotFound, "502")]
    [InlineData(OpenResult.NoCarrier, "503")]
    [InlineData(OpenResult.Busy, "503")]
    [InlineData(OpenResult.TimedOut, "504")]
    internal async Task A_failed_open_is_a_status(OpenResult result, string status)
    {
        await using IngressRig rig = await IngressRig.HttpAsync(new DirectCarrier { Refuse = _ => result });
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync("CONNECT a:1 HTTP/1.1\r\n\r\n");
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldStartWith($"HTTP/1.1 {status} ");
    }

    [Fact]
    public async Task A_head_without_end_is_bounded()
    {
        await using IngressRig rig = await IngressRig.HttpAsync(new DirectCarrier());
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync("CONNECT a:1 HTTP/1.1\r\n");
        for (int i = 0; i < 2 * 1024; i++)
        {
            await client.SendTextAsync("X-Field: 0123\r\n");
        }
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldStartWith("HTTP/1.1 431 ");
    }

    [Fact]
    public async Task A_slow_request_times_out()
    {
        await using IngressRig rig = await IngressRig.HttpAsync(
            new DirectCarrier(), IngressLimits.Default with { HandshakeTimeout = TimeSpan.FromMilliseconds(300) });
        using Socket client = await rig.ConnectAsync();
        await client.SendTextAsync("CONNECT a:1 HT");
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldStartWith("HTTP/1.1 408 ");
    }
}
