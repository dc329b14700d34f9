using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Our client and grpcio's server.</summary>
public sealed class ForeignServerTests(Foreign foreign) : IClassFixture<Foreign>, IAsyncLifetime
{
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(60));
    private Process _server = null!;
    private GrpcChannel _channel = null!;
    private Echo.EchoClient _client = null!;

    public Task InitializeAsync() => StartAsync("none");

    public Task DisposeAsync()
    {
        _channel.Dispose();
        _server.Kill();
        _server.Dispose();
        _limit.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Unary()
    {
        var message = new EchoMessage { Text = "grüße", Number = -7, Data = ByteString.CopyFrom(0, 255) };
        (await _client.UnaryAsync(message)).ShouldBe(message);
        _client.Unary(message).ShouldBe(message);
    }

    [Fact]
    public async Task Client_streaming()
    {
        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = _client.Join();
        for (int i = 0; i < 1000; i++)
        {
            await join.RequestStream.WriteAsync(new EchoMessage { Text = i.ToString(CultureInfo.InvariantCulture) });
        }

        await join.RequestStream.CompleteAsync();
        EchoMessage answer = await join;
        answer.Number.ShouldBe(1000);
        answer.Text.ShouldStartWith("0,1,2,3");
    }

    [Fact]
    public async Task Server_streaming_also_to_a_slow_reader()
    {
        using AsyncServerStreamingCall<EchoMessage> repeat = _client.Repeat(
            new EchoMessage { Number = 300, Data = ByteString.CopyFrom(new byte[100_000]) });
        await repeat.ResponseHeadersAsync;
        await Task.Delay(500);
        int next = 0;
        await foreach (EchoMessage message in repeat.ResponseStream.ReadAllAsync())
        {
            message.Number.ShouldBe(next++);
        }

        next.ShouldBe(300);
        repeat.GetTrailers().GetValue("count").ShouldBe("300");
    }

    [Fact]
    public async Task Duplex_streaming_turn_by_turn_then_half_close()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat();
        for (int i = 0; i < 50; i++)
        {
            await chat.RequestStream.WriteAsync(new EchoMessage { Number = i });
            (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
            chat.ResponseStream.Current.Number.ShouldBe(i);
        }

        await chat.RequestStream.CompleteAsync();
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        chat.ResponseStream.Current.Text.ShouldBe("bye");
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        chat.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
    }

    [Fact]
    public async Task The_server_ends_early()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat();
        await WriteUnlessAnsweredAsync(chat.RequestStream, "end");
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        await Should.ThrowAsync<RpcException>(() => chat.RequestStream.WriteAsync(new EchoMessage()));

        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = _client.Join();
        await WriteUnlessAnsweredAsync(join.RequestStream, "enough");
        (await join).Number.ShouldBe(0);

        using AsyncClientStreamingCall<EchoMessage, EchoMessage> failed = _client.Join();
        await WriteUnlessAnsweredAsync(failed.RequestStream, "fail");
        await GrpcTestBase.FailsAsync(() => failed.ResponseAsync, StatusCode.FailedPrecondition);
    }

    /// <summary>The server may have ended the call before the write that made it do so is complete; then the write fails too.</summary>
    private static async Task WriteUnlessAnsweredAsync(IClientStreamWriter<EchoMessage> stream, string order)
    {
        try
        {
            await stream.WriteAsync(new EchoMessage { Order = order });
        }
        catch (RpcException)
        {
            // The call's own answer is what the test looks at.
        }
    }

    [Fact]
    public async Task Status_with_a_message_in_any_script_and_trailers()
    {
        const string Detail = "Größe % 漢字 🚀\n";
        RpcException failure = await GrpcTestBase.FailsAsync(
            () => _client.UnaryAsync(new EchoMessage { Order = "fail", Text = Detail }).ResponseAsync, StatusCode.NotFound);
        failure.Status.Detail.ShouldBe(Detail);
        failure.Trailers.GetValue("why").ShouldBe("asked");
        failure.Trailers.GetValueBytes("raw-bin").ShouldBe([.. Enumerable.Range(0, 256).Select(i => (byte)i)]);
        await GrpcTestBase.FailsAsync(() => _client.UnaryAsync(new EchoMessage { Order = "crash" }).ResponseAsync, StatusCode.Unknown);
    }

    [Fact]
    public async Task Metadata_both_ways()
    {
        using AsyncUnaryCall<EchoMessage> call = _client.UnaryAsync(new EchoMessage { Order = "headers" });
        Metadata headers = await call.ResponseHeadersAsync;
        headers.GetValue("answer").ShouldBe("42");
        headers.GetValueBytes("bytes-bin").ShouldBe([9, 0, 9]);
        await call;
        call.GetTrailers().GetValue("after").ShouldBe("all");
        call.GetTrailers().GetValueBytes("bytes-bin").ShouldBe([7, 0, 7]);

        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        EchoMessage seen = await _client.UnaryAsync(
            new EchoMessage { Order = "context" }, new Metadata { { "x-text", "plain text" }, { "x-raw-bin", all }, { "x-one-bin", [1] } });
        string[] lines = seen.Text.Split('\n');
        lines.ShouldContain("x-text=plain text");
        lines.ShouldContain($"x-raw-bin={Convert.ToHexStringLower(all)}");
        lines.ShouldContain("x-one-bin=01");
    }

    [Fact]
    public async Task The_deadline_reaches_the_server()
    {
        DateTime deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(3);
        Task<EchoMessage> call = _client.UnaryAsync(new EchoMessage { Order = "wait" }, deadline: deadline).ResponseAsync;
        string started = await LineAsync();
        started.ShouldStartWith("started ");
        double.Parse(started[8..], CultureInfo.InvariantCulture).ShouldBeInRange(0, 3.1);
        await GrpcTestBase.FailsAsync(() => call, StatusCode.DeadlineExceeded);
        (await LineAsync()).ShouldBe("cancelled");
    }

    [Fact]
    public async Task Cancellation_reaches_the_server()
    {
        using var source = new CancellationTokenSource();
        Task<EchoMessage> call = _client.UnaryAsync(new EchoMessage { Order = "wait" }, cancellationToken: source.Token).ResponseAsync;
        (await LineAsync()).ShouldStartWith("started");
        await source.CancelAsync();
        await GrpcTestBase.FailsAsync(() => call, StatusCode.Cancelled);
        (await LineAsync()).ShouldBe("cancelled");

        AsyncServerStreamingCall<EchoMessage> repeat = _client.Repeat(new EchoMessage { Number = 1, Order = "wait" });
        (await repeat.ResponseStream.MoveNext()).ShouldBeTrue();
        repeat.Dispose();
        (await LineAsync()).ShouldBe("repeat ended");

        AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage());
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        chat.Dispose();
        (await LineAsync()).ShouldBe("chat ended");
    }

    [Fact]
    public async Task Four_mebibytes_are_the_limit_both_ways()
    {
        const int Limit = 4 * 1024 * 1024;
        (await _client.UnaryAsync(new EchoMessage { Order = "large", Number = Limit - 16 })).Data.Length.ShouldBe(Limit - 16);
        await GrpcTestBase.FailsAsync(
            () => _client.UnaryAsync(new EchoMessage { Order = "large", Number = Limit }).ResponseAsync, StatusCode.ResourceExhausted);
        await GrpcTestBase.FailsAsync(
            () => _client.UnaryAsync(new EchoMessage { Data = ByteString.CopyFrom(new byte[Limit]) }).ResponseAsync, StatusCode.ResourceExhausted);
    }

    [Fact]
    public async Task GZip_both_ways()
    {
        await DisposeServerAsync();
        await StartAsync("gzip");
        var gzip = new Metadata { { "grpc-internal-encoding-request", "gzip" } };
        var message = new EchoMessage { Data = ByteString.CopyFrom(new byte[1_000_000]) };
        (await _client.UnaryAsync(message)).ShouldBe(message);
        (await _client.UnaryAsync(message, gzip)).ShouldBe(message);
        await GrpcTestBase.FailsAsync(
            () => _client.UnaryAsync(new EchoMessage { Order = "large", Number = 5_000_000 }).ResponseAsync, StatusCode.ResourceExhausted);

        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat(gzip);
        for (int i = 0; i < 4; i++)
        {
            chat.RequestStream.WriteOptions = new WriteOptions(i % 2 == 0 ? WriteFlags.NoCompress : default);
            await chat.RequestStream.WriteAsync(message);
            (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
            chat.ResponseStream.Current.ShouldBe(message);
        }
    }

    [Fact]
    public async Task What_is_not_there()
    {
        Marshaller<EchoMessage> marshaller = Marshallers.Create(m => m.ToByteArray(), bytes => EchoMessage.Parser.ParseFrom(bytes));
        var method = new Method<EchoMessage, EchoMessage>(MethodType.Unary, "no.Such", "Service", marshaller, marshaller);
        await GrpcTestBase.FailsAsync(
            () => _channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(), new EchoMessage()).ResponseAsync,
            StatusCode.Unimplemented);
    }

    [Fact]
    public async Task A_server_that_dies_is_unavailable()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage());
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        Task<bool> waiting = chat.ResponseStream.MoveNext();
        _server.Kill();
        await GrpcTestBase.FailsAsync(() => waiting, StatusCode.Unavailable);
    }

    private async Task StartAsync(string compression)
    {
        _server = Foreign.Start("foreign_server.py", foreign.Stubs, compression);
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{await LineAsync()}");
        _client = new Echo.EchoClient(_channel);
    }

    private Task DisposeServerAsync()
    {
        _channel.Dispose();
        _server.Kill();
        _server.Dispose();
        return Task.CompletedTask;
    }

    private async Task<string> LineAsync()
    {
        string? line = await _server.StandardOutput.ReadLineAsync(_limit.Token);
        return line ?? throw new InvalidOperationException($"The server ended: {await _server.StandardError.ReadToEndAsync()}");
    }
}
