using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Our server against requests that no good client sends.</summary>
public sealed class RawServerTests : GrpcTestBase
{
    private const string Unary = "/aggregator.tests.Echo/Unary";

    private static byte[] Hello => new EchoMessage { Text = "hello" }.ToByteArray();

    private Task<RawAnswer> PostAsync(byte[] body, params (string, string)[] headers) =>
        RawCall.PostAsync(Host.Address, Unary, body, headers: headers);

    [Theory]
    [InlineData("application/grpc")]
    [InlineData("application/grpc+proto")]
    [InlineData("application/grpc; charset=utf-8")]
    public async Task A_good_request_as_a_control(string contentType)
    {
        RawAnswer answer = await RawCall.PostAsync(Host.Address, Unary, RawCall.Frame(Hello), contentType);
        answer.Status.ShouldBe("0");
        answer.Body.ShouldBe(RawCall.Frame(Hello));
        answer.Response.Content.Headers.ContentType!.MediaType.ShouldBe("application/grpc");
        answer.Header("grpc-accept-encoding").ShouldBe("identity,gzip");
        answer.IsTrailersOnly.ShouldBeFalse();
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/grpc-web")]
    public async Task Other_content_types_get_415(string contentType)
    {
        RawAnswer answer = await RawCall.PostAsync(Host.Address, Unary, RawCall.Frame(Hello), contentType);
        answer.Response.StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task Http_1_gets_426_and_others_than_post_405()
    {
        await using EchoHost host = await EchoHost.StartAsync(kestrel: options =>
            options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        RawAnswer answer = await RawCall.PostAsync(host.Address, Unary, RawCall.Frame(Hello), version: HttpVersion.Version11);
        answer.Response.StatusCode.ShouldBe(HttpStatusCode.UpgradeRequired);

        using var http = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        (await http.GetAsync(new Uri(Host.Address + Unary))).StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
    }

    [Fact]
    public async Task Other_endpoints_stay_reachable_beside_the_services()
    {
        await using EchoHost host = await EchoHost.StartAsync(configure: app => app.MapPost("/page/one", () => "page"));
        RawAnswer page = await RawCall.PostAsync(host.Address, "/page/one", [], "text/plain");
        page.Response.StatusCode.ShouldBe(HttpStatusCode.OK);
        RawAnswer none = await RawCall.PostAsync(host.Address, "/page/two", [], "text/plain");
        none.Response.StatusCode.ShouldBe(HttpStatusCode.NotFound);
        RawAnswer grpc = await RawCall.PostAsync(host.Address, "/page/two", []);
        grpc.Status.ShouldBe("12");
        grpc.IsTrailersOnly.ShouldBeTrue();
    }

    public static TheoryData<string, byte[], string> BadBodies => new()
    {
        { "nothing", [], "13" },
        { "half a header", [0, 0], "13" },
        { "header without its message", RawCall.Frame([], length: 10), "13" },
        { "half a message", RawCall.Frame([1, 2, 3], length: 10), "13" },
        { "two messages", [.. RawCall.Frame(Hello), .. RawCall.Frame(Hello)], "13" },
        { "bytes after the message", [.. RawCall.Frame(Hello), 0], "13" },
        { "flag 2", RawCall.Frame(Hello, flag: 2), "13" },
        { "compressed without an encoding", RawCall.Frame(RawCall.GZip(Hello), flag: 1), "13" },
        { "no protobuf", RawCall.Frame([0xFF, 0xFF, 0xFF]), "13" },
        { "4 GiB announced", RawCall.Frame(Hello, length: uint.MaxValue), "8" },
        { "one byte too large", RawCall.Frame(Hello, length: (4 * 1024 * 1024) + 1), "8" },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task Broken_messages_get_a_status_and_nothing_else(string what, byte[] body, string status)
    {
        RawAnswer answer = await PostAsync(body);
        answer.Response.StatusCode.ShouldBe(HttpStatusCode.OK);
        answer.Status.ShouldBe(status, what);
        answer.Message.ShouldNotBeNullOrEmpty();
        answer.IsTrailersOnly.ShouldBeTrue();
        Host.Logs.Errors.ShouldBeEmpty();
        (await Client.UnaryAsync(new EchoMessage { Text = "still there" })).Text.ShouldBe("still there");
    }

    [Fact]
    public async Task GZip_as_declared()
    {
        (await PostAsync(RawCall.Frame(RawCall.GZip(Hello), flag: 1), ("grpc-encoding", "gzip"))).Body.ShouldBe(RawCall.Frame(Hello));

        // Declared, and not used for this message: that is allowed.
        (await PostAsync(RawCall.Frame(Hello), ("grpc-encoding", "gzip"))).Status.ShouldBe("0");
        (await PostAsync(RawCall.Frame(Hello), ("grpc-encoding", "snappy"))).Status.ShouldBe("0");
        (await PostAsync(RawCall.Frame(Hello, flag: 1), ("grpc-encoding", "gzip"))).Status.ShouldBe("13");
        byte[] cut = RawCall.GZip(new byte[100_000]);
        (await PostAsync(RawCall.Frame(cut[..^20], flag: 1), ("grpc-encoding", "gzip"))).Status.ShouldBe("13");
        (await PostAsync(RawCall.Frame(Hello, flag: 1), ("grpc-encoding", "identity"))).Status.ShouldBe("13");
    }

    [Fact]
    public async Task An_unknown_compression_is_unimplemented_and_the_answer_names_the_known_ones()
    {
        RawAnswer answer = await PostAsync(RawCall.Frame(Hello, flag: 1), ("grpc-encoding", "snappy"));
        answer.Status.ShouldBe("12");
        answer.Header("grpc-accept-encoding").ShouldBe("identity,gzip");
    }

    [Fact]
    public async Task A_gzip_bomb_ends_at_the_limit()
    {
        byte[] bomb = RawCall.GZip(new byte[256 * 1024 * 1024]);
        bomb.Length.ShouldBeLessThan(4 * 1024 * 1024);
        RawAnswer answer = await PostAsync(RawCall.Frame(bomb, flag: 1), ("grpc-encoding", "gzip"));
        answer.Status.ShouldBe("8");
    }

    [Theory]
    [InlineData("1")]
    [InlineData("S")]
    [InlineData("123456789S")]
    [InlineData("-1S")]
    [InlineData("1x")]
    public async Task A_malformed_timeout_is_refused(string timeout) =>
        (await PostAsync(RawCall.Frame(Hello), ("grpc-timeout", timeout))).Status.ShouldBe("13");

    [Theory]
    [InlineData("99999999H")]
    [InlineData("60S")]
    public async Task Long_timeouts_are_fine(string timeout) =>
        (await PostAsync(RawCall.Frame(Hello), ("grpc-timeout", timeout))).Status.ShouldBe("0");

    [Fact]
    public async Task The_server_enforces_the_deadline_even_if_the_handler_goes_on()
    {
        RawAnswer answer = await PostAsync(
            RawCall.Frame(new EchoMessage { Order = "stubborn" }.ToByteArray()), ("grpc-timeout", "300m"));
        answer.Status.ShouldBe("4");
        answer.IsTrailersOnly.ShouldBeTrue();
        Host.Events.Set("release");

        RawAnswer stream = await RawCall.PostAsync(
            Host.Address, "/aggregator.tests.Echo/Repeat",
            RawCall.Frame(new EchoMessage { Number = 2, Order = "wait" }.ToByteArray()), headers: ("grpc-timeout", "1500m"));
        stream.Status.ShouldBe("4");
        stream.IsTrailersOnly.ShouldBeFalse();
        stream.Body.Length.ShouldBeGreaterThan(5);
        await Host.Events.Of("cancelled");
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_client_that_does_not_read_keeps_no_call_past_its_deadline()
    {
        using var handler = new SocketsHttpHandler { InitialHttp2StreamWindowSize = 65_535 };
        using var http = new HttpMessageInvoker(handler);
        using var request = new HttpRequestMessage(HttpMethod.Post, Host.Address + "/aggregator.tests.Echo/Repeat")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(RawCall.Frame(
                new EchoMessage { Number = 1000, Data = ByteString.CopyFrom(new byte[100_000]) }.ToByteArray())),
        };
        request.Content.Headers.ContentType = new("application/grpc");
        request.Headers.TryAddWithoutValidation("grpc-timeout", "1S");
        using HttpResponseMessage response = await http.SendAsync(request, CancellationToken.None);

        // The handler is held back by the window, hears of the deadline, and then the stream is taken away from the client.
        int.Parse(await Host.Events.Of("repeat ended")).ShouldBeLessThan(1000);
        await Host.Events.Of("response over");
        await Should.ThrowAsync<Exception>(async () => await (await response.Content.ReadAsStreamAsync()).CopyToAsync(Stream.Null));
    }

    [Fact]
    public async Task Binary_metadata_that_is_no_base64_is_refused()
    {
        (await PostAsync(RawCall.Frame(Hello), ("x-bin", "AAE"))).Status.ShouldBe("0");
        (await PostAsync(RawCall.Frame(Hello), ("x-bin", "AAE="))).Status.ShouldBe("0");
        (await PostAsync(RawCall.Frame(Hello), ("x-bin", "*"))).Status.ShouldBe("13");
        (await PostAsync(RawCall.Frame(Hello), ("x-bin", "AAEAA"))).Status.ShouldBe("13");
    }
}
