using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>What the public packages do in another way, or not at all.</summary>
public sealed class OwnChoiceTests : GrpcTestBase
{
    [Fact]
    public async Task Another_authority_over_the_same_channel()
    {
        EchoMessage answer = await Client.WithHost("other.example:1").UnaryAsync(new EchoMessage { Order = "context" });
        answer.Text.Split('\n').ShouldContain("host=other.example:1");
    }

    [Fact]
    public async Task Metadata_that_no_header_can_hold_is_refused_before_it_is_sent()
    {
        foreach ((string key, string value) in new[] { ("text", "line\nbreak"), ("text", "ü"), ("grpc-timeout", "1S"), ("te", "x") })
        {
            Should.Throw<InvalidOperationException>(() => Client.UnaryAsync(new EchoMessage(), new Metadata { { key, value } }));
        }

        await Client.UnaryAsync(new EchoMessage());
    }

    [Fact]
    public async Task Blanks_at_both_ends_of_a_status_message_survive()
    {
        RpcException failure = await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "fail", Number = 5, Text = " two  blanks " }).ResponseAsync, StatusCode.NotFound);
        failure.Status.Detail.ShouldBe(" two  blanks ");
        failure.Trailers.Select(entry => entry.Key).ShouldNotContain("grpc-status");
    }

    [Fact]
    public async Task Several_binary_values_of_one_key()
    {
        var headers = new Metadata { { "x-raw-bin", [0xFF, 0] }, { "x-raw-bin", [] }, { "x-raw-bin", [1] } };
        EchoMessage answer = await Client.UnaryAsync(new EchoMessage { Order = "context" }, headers);
        answer.Text.Split('\n').Where(line => line.StartsWith("x-raw", StringComparison.Ordinal))
            .ShouldBe(["x-raw-bin=FF00", "x-raw-bin=", "x-raw-bin=01"]);
    }

    [Fact]
    public async Task The_limit_is_named()
    {
        RpcException refused = await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Data = Google.Protobuf.ByteString.CopyFrom(new byte[4 * 1024 * 1024]) }).ResponseAsync,
            StatusCode.ResourceExhausted);
        refused.Status.Detail.ShouldContain("4194304");
    }
}
