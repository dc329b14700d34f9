using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Sizes, windows and writes that meet.</summary>
public sealed class FlowTests : GrpcTestBase
{
    private const int Limit = 4 * 1024 * 1024;

    private static ByteString Bytes(int length) => ByteString.CopyFrom(new byte[length]);

    [Fact]
    public async Task Messages_up_to_the_limit_pass_and_larger_ones_do_not()
    {
        int room = Limit - 16;
        EchoMessage answer = await Client.UnaryAsync(new EchoMessage { Data = Bytes(room) });
        answer.Data.Length.ShouldBe(room);
        await FailsAsync(() => Client.UnaryAsync(new EchoMessage { Data = Bytes(Limit) }).ResponseAsync, StatusCode.ResourceExhausted);
        await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "large", Number = Limit }).ResponseAsync, StatusCode.ResourceExhausted);
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_limits_can_be_moved_both_ways()
    {
        await using EchoHost host = await EchoHost.StartAsync(options =>
        {
            options.MaxReceiveMessageSize = 8 * 1024 * 1024;
            options.MaxSendMessageSize = 1000;
        });
        using GrpcChannel wide = GrpcChannel.ForAddress(host.Address, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        RpcException answer = await FailsAsync(
            () => new Echo.EchoClient(wide).UnaryAsync(new EchoMessage { Data = Bytes(5 * 1024 * 1024) }).ResponseAsync,
            StatusCode.ResourceExhausted);
        answer.Status.Detail.ShouldContain("Sending");
        using GrpcChannel narrow = GrpcChannel.ForAddress(host.Address, new GrpcChannelOptions { MaxSendMessageSize = 10, MaxReceiveMessageSize = 10 });
        await FailsAsync(
            () => new Echo.EchoClient(narrow).UnaryAsync(new EchoMessage { Data = Bytes(100) }).ResponseAsync, StatusCode.ResourceExhausted);
        await FailsAsync(
            () => new Echo.EchoClient(narrow).UnaryAsync(new EchoMessage { Order = "large", Number = 100 }).ResponseAsync,
            StatusCode.ResourceExhausted);
    }

    [Fact]
    public async Task A_reader_that_rests_holds_the_server_back_and_loses_nothing()
    {
        const int Count = 400;
        const int Size = 100_000;

        // The windows of client and server hold a part of these 40 MB; the rest must wait in the handler.
        using AsyncServerStreamingCall<EchoMessage> repeat = Client.Repeat(new EchoMessage { Number = Count, Data = Bytes(Size) });
        await repeat.ResponseHeadersAsync;
        Task all = Host.Events.Of($"sent {Count}");
        (await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(1)))).ShouldNotBe(all);

        int next = 0;
        await foreach (EchoMessage message in repeat.ResponseStream.ReadAllAsync())
        {
            message.Number.ShouldBe(next++);
            message.Data.Length.ShouldBe(Size);
        }

        next.ShouldBe(Count);
        await all;
    }

    [Fact]
    public async Task A_server_that_rests_holds_the_client_back()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        int written = 0;

        // Nobody reads the echoes: the server stops reading, and the client's writes stop in the end.
        Task writer = Task.Run(async () =>
        {
            for (; written < 1000; written++)
            {
                await chat.RequestStream.WriteAsync(new EchoMessage { Number = written, Data = Bytes(100_000) });
            }

            await chat.RequestStream.CompleteAsync();
        });
        (await Task.WhenAny(writer, Task.Delay(TimeSpan.FromSeconds(1)))).ShouldNotBe(writer);
        written.ShouldBeInRange(1, 999);
        int read = 0;
        while (await chat.ResponseStream.MoveNext())
        {
            read++;
        }

        await writer;
        read.ShouldBe(1001);
    }

    [Fact]
    public async Task One_write_at_a_time()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        var writes = new List<Task>();
        while (writes.Count == 0 || writes[^1].IsCompletedSuccessfully)
        {
            writes.Add(chat.RequestStream.WriteAsync(new EchoMessage { Data = Bytes(1_000_000) }));
        }

        InvalidOperationException refused = await Should.ThrowAsync<InvalidOperationException>(
            () => chat.RequestStream.WriteAsync(new EchoMessage()));
        refused.Message.ShouldContain("in progress");
        Task<bool> read = chat.ResponseStream.MoveNext();
        read.IsCompleted.ShouldBeFalse();
        await Should.ThrowAsync<InvalidOperationException>(() => chat.ResponseStream.MoveNext());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Compressed_requests_and_responses(bool compressResponses)
    {
        await using EchoHost host = await EchoHost.StartAsync(options =>
            options.ResponseCompressionAlgorithm = compressResponses ? "gzip" : null);
        using GrpcChannel channel = GrpcChannel.ForAddress(host.Address);
        var client = new Echo.EchoClient(channel);
        var gzip = new Metadata { { "grpc-internal-encoding-request", "gzip" } };
        EchoMessage answer = await client.UnaryAsync(new EchoMessage { Data = Bytes(1_000_000) }, gzip);
        answer.Data.Length.ShouldBe(1_000_000);

        // 4 MiB is the limit after decompression too.
        await FailsAsync(() => client.UnaryAsync(new EchoMessage { Data = Bytes(Limit) }, gzip).ResponseAsync, StatusCode.ResourceExhausted);
        await FailsAsync(
            () => client.UnaryAsync(new EchoMessage { Order = "large", Number = Limit }).ResponseAsync, StatusCode.ResourceExhausted);

        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = client.Chat(gzip);
        for (int i = 0; i < 4; i++)
        {
            chat.RequestStream.WriteOptions = new WriteOptions(i % 2 == 0 ? WriteFlags.NoCompress : default);
            await chat.RequestStream.WriteAsync(new EchoMessage { Number = i, Data = Bytes(i * 10_000) });
            (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
            chat.ResponseStream.Current.Data.Length.ShouldBe(i * 10_000);
        }
    }
}
