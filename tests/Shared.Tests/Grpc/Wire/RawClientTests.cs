using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Our client against answers that no good server gives.</summary>
public sealed class RawClientTests
{
    private static byte[] Hello => new EchoMessage { Text = "hello" }.ToByteArray();

    public static TheoryData<int, StatusCode> HttpStatuses => new()
    {
        { 400, StatusCode.Internal },
        { 401, StatusCode.Unauthenticated },
        { 403, StatusCode.PermissionDenied },
        { 404, StatusCode.Unimplemented },
        { 429, StatusCode.Unavailable },
        { 502, StatusCode.Unavailable },
        { 503, StatusCode.Unavailable },
        { 504, StatusCode.Unavailable },
        { 500, StatusCode.Unknown },
        { 415, StatusCode.Unknown },
    };

    [Theory]
    [MemberData(nameof(HttpStatuses))]
    public async Task Http_statuses(int http, StatusCode expected)
    {
        RpcException failure = await UnaryFailsAsync(context =>
        {
            context.Response.StatusCode = http;
            return Task.CompletedTask;
        });
        failure.StatusCode.ShouldBe(expected);
        failure.Status.Detail.ShouldContain($"{http}");
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("application/grpc-web")]
    [InlineData(null)]
    public async Task Content_types(string? contentType)
    {
        RpcException failure = await UnaryFailsAsync(context =>
        {
            context.Response.ContentType = contentType;
            return Task.CompletedTask;
        });
        failure.StatusCode.ShouldBe(StatusCode.Unknown);
        failure.Status.Detail.ShouldContain(contentType ?? "none");
    }

    public static TheoryData<string, byte[], string?, string?, StatusCode> Bodies => new()
    {
        { "no trailers", RawCall.Frame(Hello), null, null, StatusCode.Unknown },
        { "no message", [], "0", null, StatusCode.Internal },
        { "two messages", [.. RawCall.Frame(Hello), .. RawCall.Frame(Hello)], "0", null, StatusCode.Internal },
        { "half a header", [0, 0, 0], "0", null, StatusCode.Internal },
        { "half a message", RawCall.Frame(Hello, length: 100), "0", null, StatusCode.Internal },
        { "flag 255", RawCall.Frame(Hello, flag: 255), "0", null, StatusCode.Internal },
        { "too large", RawCall.Frame(Hello, length: uint.MaxValue), "0", null, StatusCode.ResourceExhausted },
        { "compressed, not declared", RawCall.Frame(RawCall.GZip(Hello), flag: 1), "0", null, StatusCode.Internal },
        { "compressed, unknown", RawCall.Frame(Hello, flag: 1), "0", "snappy", StatusCode.Unimplemented },
        { "no gzip", RawCall.Frame(Hello, flag: 1), "0", "gzip", StatusCode.Internal },
        { "no protobuf", RawCall.Frame([0xFF, 0xFF]), "0", null, StatusCode.Internal },
        { "status is no number", RawCall.Frame(Hello), "zero", null, StatusCode.Unknown },
        { "status is unheard of", RawCall.Frame(Hello), "99", null, StatusCode.Unknown },
        { "error after the message", RawCall.Frame(Hello), "9", null, StatusCode.FailedPrecondition },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Broken_answers(string what, byte[] body, string? status, string? encoding, StatusCode expected)
    {
        RpcException failure = await UnaryFailsAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            if (encoding is not null)
            {
                context.Response.Headers["grpc-encoding"] = encoding;
            }

            await context.Response.StartAsync();
            await context.Response.BodyWriter.WriteAsync(body);
            if (status is not null)
            {
                context.Response.AppendTrailer("grpc-status", status);
            }
        });
        failure.StatusCode.ShouldBe(expected, $"{what}: {failure}");
    }

    [Theory]
    [InlineData(0x0, StatusCode.Internal)]
    [InlineData(0x2, StatusCode.Internal)]
    [InlineData(0x8, StatusCode.Cancelled)]
    [InlineData(0xB, StatusCode.ResourceExhausted)]
    [InlineData(0xC, StatusCode.PermissionDenied)]
    public async Task Resets_after_the_headers(int code, StatusCode expected)
    {
        RpcException failure = await UnaryFailsAsync(async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.Body.FlushAsync();
            context.Features.Get<IHttpResetFeature>()!.Reset(code);
        });
        failure.StatusCode.ShouldBe(expected, failure.ToString());
    }

    [Fact]
    public async Task A_status_in_the_headers_ends_the_call()
    {
        RpcException failure = await UnaryFailsAsync(context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.Headers["grpc-status"] = "7";
            context.Response.Headers["grpc-message"] = "not%20you%2C %C3%BC%zz%";
            context.Response.Headers["extra-bin"] = "AAE,/w==";
            return Task.CompletedTask;
        });
        failure.StatusCode.ShouldBe(StatusCode.PermissionDenied);
        failure.Status.Detail.ShouldBe("not you, ü%zz%");
        failure.Trailers.GetAll("extra-bin").Select(entry => Convert.ToHexString(entry.ValueBytes)).ShouldBe(["0001", "FF"]);
    }

    [Fact]
    public async Task Binary_trailers_that_are_no_base64()
    {
        RpcException failure = await UnaryFailsAsync(context =>
        {
            context.Response.ContentType = "application/grpc";
            context.Response.Headers["grpc-status"] = "0";
            context.Response.Headers["extra-bin"] = "?";
            return Task.CompletedTask;
        });
        failure.StatusCode.ShouldBe(StatusCode.Internal);
    }

    [Fact]
    public async Task What_the_client_sends()
    {
        var headers = new TaskCompletionSource<Dictionary<string, string>>();
        await UnaryFailsAsync(context =>
        {
            headers.SetResult(context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString()));
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        });
        Dictionary<string, string> sent = await headers.Task;
        sent["content-type"].ShouldBe("application/grpc");
        sent["te"].ShouldBe("trailers");
        sent["grpc-accept-encoding"].ShouldBe("identity,gzip");
        sent["x-raw-bin"].ShouldBe("AAE", "without padding");
        sent["grpc-timeout"].ShouldMatch("^[0-9]{1,8}[num]$");
        sent.ShouldNotContainKey("content-length");
        sent.ShouldNotContainKey("grpc-encoding");
    }

    private static async Task<RpcException> UnaryFailsAsync(RequestDelegate answer)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options =>
            options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        await using WebApplication app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        using GrpcChannel channel = GrpcChannel.ForAddress(app.Urls.First());
        DateTime deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30);
        return await Should.ThrowAsync<RpcException>(() => new Echo.EchoClient(channel)
            .UnaryAsync(new EchoMessage { Text = "x" }, new Metadata { { "x-raw-bin", [0, 1] } }, deadline).ResponseAsync);
    }
}
