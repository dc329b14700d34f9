using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Ends before the end: by the caller, by the deadline, by the server, by the connection.</summary>
public sealed class CancellationTests : GrpcTestBase
{
    private static DateTime In(double seconds) => TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(seconds);

    [Fact]
    public async Task Cancelling_reaches_the_handler()
    {
        using var source = new CancellationTokenSource();
        using AsyncUnaryCall<EchoMessage> call = Client.UnaryAsync(new EchoMessage { Order = "wait" }, cancellationToken: source.Token);
        await Host.Events.Of("started");
        await source.CancelAsync();
        await FailsAsync(() => call.ResponseAsync, StatusCode.Cancelled);
        await Host.Events.Of("cancelled");
        call.GetStatus().StatusCode.ShouldBe(StatusCode.Cancelled);
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task Disposing_a_stream_reaches_the_handler()
    {
        AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage { Text = "hi" });
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        Task<bool> waiting = chat.ResponseStream.MoveNext(CancellationToken.None);
        chat.Dispose();
        await FailsAsync(() => waiting, StatusCode.Cancelled);
        await FailsAsync(() => chat.RequestStream.WriteAsync(new EchoMessage()), StatusCode.Cancelled);
        await Host.Events.Of("cancelled");
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task Cancelling_a_read_cancels_the_call()
    {
        using var source = new CancellationTokenSource();
        using AsyncServerStreamingCall<EchoMessage> repeat = Client.Repeat(new EchoMessage { Number = 1, Order = "wait" });
        (await repeat.ResponseStream.MoveNext(source.Token)).ShouldBeTrue();
        Task<bool> waiting = repeat.ResponseStream.MoveNext(source.Token);
        await source.CancelAsync();
        await FailsAsync(() => waiting, StatusCode.Cancelled);
        await Host.Events.Of("cancelled");
    }

    [Fact]
    public async Task Disposing_the_channel_cancels_its_calls()
    {
        using AsyncUnaryCall<EchoMessage> call = Client.UnaryAsync(new EchoMessage { Order = "wait" });
        await Host.Events.Of("started");
        Channel.Dispose();
        await FailsAsync(() => call.ResponseAsync, StatusCode.Cancelled);
        await Host.Events.Of("cancelled");
        Should.Throw<ObjectDisposedException>(() => Client.UnaryAsync(new EchoMessage()));
    }

    [Fact]
    public async Task Cancelled_before_it_starts()
    {
        await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage(), cancellationToken: new CancellationToken(canceled: true)).ResponseAsync,
            StatusCode.Cancelled);
    }

    [Fact]
    public async Task The_deadline_ends_both_sides()
    {
        using AsyncUnaryCall<EchoMessage> call = Client.UnaryAsync(new EchoMessage { Order = "wait" }, deadline: In(2));
        string seen = await Host.Events.Of("started");
        DateTime.Parse(seen).ShouldBeLessThan(DateTime.MaxValue.AddYears(-1));
        await FailsAsync(() => call.ResponseAsync, StatusCode.DeadlineExceeded);
        await Host.Events.Of("cancelled");
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_deadline_in_the_past_sends_nothing()
    {
        await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "crash" }, deadline: In(-1)).ResponseAsync, StatusCode.DeadlineExceeded);
        Host.Logs.Errors.ShouldBeEmpty();
        Should.Throw<InvalidOperationException>(() => Client.UnaryAsync(
            new EchoMessage(), deadline: DateTime.SpecifyKind(In(60), DateTimeKind.Local)));
        await Client.UnaryAsync(new EchoMessage(), deadline: DateTime.MaxValue);
    }

    [Fact]
    public async Task OperationCanceledException_where_the_channel_wants_it()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(
            Host.Address, new GrpcChannelOptions { ThrowOperationCanceledOnCancellation = true });
        var client = new Echo.EchoClient(channel);
        await Should.ThrowAsync<OperationCanceledException>(() =>
            client.UnaryAsync(new EchoMessage { Order = "wait" }, deadline: In(0.2)).ResponseAsync);
    }

    [Fact]
    public async Task The_server_ends_a_stream_while_the_client_still_writes()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage { Order = "end" });
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        chat.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
        await Should.ThrowAsync<RpcException>(() => chat.RequestStream.WriteAsync(new EchoMessage()));
        await Client.UnaryAsync(new EchoMessage());
    }

    [Fact]
    public async Task The_server_answers_a_client_stream_early()
    {
        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = Client.Join();
        await join.RequestStream.WriteAsync(new EchoMessage { Text = "a" });
        await join.RequestStream.WriteAsync(new EchoMessage { Order = "enough" });
        (await join).Text.ShouldBe("a");

        using AsyncClientStreamingCall<EchoMessage, EchoMessage> failed = Client.Join();
        await failed.RequestStream.WriteAsync(new EchoMessage { Order = "fail" });
        await FailsAsync(() => failed.ResponseAsync, StatusCode.FailedPrecondition);
        await FailsAsync(() => failed.RequestStream.WriteAsync(new EchoMessage()), StatusCode.FailedPrecondition);
    }

    [Fact]
    public async Task An_error_in_the_middle_of_a_stream()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage { Number = 1 });
        await chat.RequestStream.WriteAsync(new EchoMessage { Order = "fail" });
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        await FailsAsync(() => chat.ResponseStream.MoveNext(), StatusCode.Aborted);
        await FailsAsync(() => chat.ResponseStream.MoveNext(), StatusCode.Aborted);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unavailable()
    {
        int port = Host.Port;
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage());
        await chat.ResponseStream.MoveNext();
        await Host.DisposeAsync();

        await FailsAsync(() => chat.ResponseStream.MoveNext(), StatusCode.Unavailable);
        RpcException refused = await FailsAsync(() => Client.UnaryAsync(new EchoMessage()).ResponseAsync, StatusCode.Unavailable);
        refused.Status.Detail.ShouldContain("refused");
        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = Client.Join();
        await FailsAsync(() => join.RequestStream.WriteAsync(new EchoMessage()), StatusCode.Unavailable);
        await FailsAsync(() => join.ResponseHeadersAsync, StatusCode.Unavailable);

        // It comes back, and the same channel finds it.
        await using EchoHost again = await EchoHost.StartAsync(kestrel: options => options.ListenLocalhost(
            port, listen => listen.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2));
        (await Client.UnaryAsync(new EchoMessage { Text = "again" })).Text.ShouldBe("again");
    }
}
