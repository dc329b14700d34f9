using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Our client and our server: the four kinds of call, status, metadata and context.</summary>
public sealed class CallTests : GrpcTestBase
{
    [Fact]
    public async Task Unary_async_and_blocking()
    {
        (await Client.UnaryAsync(new EchoMessage { Text = "äöü" })).Text.ShouldBe("äöü");
        Client.Unary(new EchoMessage { Text = "blocking" }).Text.ShouldBe("blocking");
        (await Client.UnaryAsync(new EchoMessage())).ShouldBe(new EchoMessage());
    }

    [Fact]
    public async Task Client_streaming()
    {
        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = Client.Join();
        await join.RequestStream.WriteAsync(new EchoMessage { Text = "a" });
        await join.RequestStream.WriteAsync(new EchoMessage { Text = "b" });
        await join.RequestStream.CompleteAsync();
        (await join).Text.ShouldBe("a,b");

        using AsyncClientStreamingCall<EchoMessage, EchoMessage> empty = Client.Join();
        await empty.RequestStream.CompleteAsync();
        (await empty).Number.ShouldBe(0);
    }

    [Fact]
    public async Task Server_streaming()
    {
        using AsyncServerStreamingCall<EchoMessage> repeat = Client.Repeat(new EchoMessage { Text = "x", Number = 3 });
        var numbers = new List<int>();
        await foreach (EchoMessage message in repeat.ResponseStream.ReadAllAsync())
        {
            numbers.Add(message.Number);
        }

        numbers.ShouldBe([0, 1, 2]);
        repeat.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
        repeat.GetTrailers().GetValue("count").ShouldBe("3");

        using AsyncServerStreamingCall<EchoMessage> none = Client.Repeat(new EchoMessage { Number = 0 });
        (await none.ResponseStream.MoveNext()).ShouldBeFalse();
    }

    [Fact]
    public async Task Duplex_streaming_turn_by_turn_then_half_close()
    {
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = Client.Chat();
        Should.Throw<InvalidOperationException>(() => chat.GetStatus());
        for (int i = 0; i < 10; i++)
        {
            await chat.RequestStream.WriteAsync(new EchoMessage { Number = i });
            (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
            chat.ResponseStream.Current.Number.ShouldBe(i);
        }

        await chat.RequestStream.CompleteAsync();
        await Should.ThrowAsync<InvalidOperationException>(() => chat.RequestStream.WriteAsync(new EchoMessage()));
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        chat.ResponseStream.Current.Text.ShouldBe("bye");
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        chat.GetStatus().ShouldBe(Status.DefaultSuccess);
        Host.Logs.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_hundred_calls_at_once_keep_apart()
    {
        EchoMessage[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i =>
            Client.UnaryAsync(new EchoMessage { Number = i, Data = ByteString.CopyFrom(new byte[i * 1000]) }).ResponseAsync));
        answers.Select(answer => (answer.Number, answer.Data.Length)).ShouldBe(Enumerable.Range(0, 100).Select(i => (i, i * 1000)));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("Größe 100 % — 漢字 🚀\r\n\t line")]
    [InlineData("")]
    public async Task Status_and_trailers_of_an_exception(string detail)
    {
        RpcException failure = await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "fail", Number = (int)StatusCode.NotFound, Text = detail }).ResponseAsync,
            StatusCode.NotFound);
        failure.Status.Detail.ShouldBe(detail);
        failure.Trailers.GetValue("why").ShouldBe("asked");
        failure.Trailers.GetValueBytes("raw-bin").ShouldBe([0, 1, 2, 255]);
    }

    [Fact]
    public async Task An_unexpected_exception_tells_the_client_nothing()
    {
        RpcException failure = await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "crash" }).ResponseAsync, StatusCode.Unknown);
        failure.ToString().ShouldNotContain("secret");
        Host.Logs.Errors.ShouldHaveSingleItem().ShouldContain("secret");
    }

    [Fact]
    public async Task Status_set_on_the_context()
    {
        RpcException failure = await FailsAsync(
            () => Client.UnaryAsync(new EchoMessage { Order = "status", Number = (int)StatusCode.DataLoss, Text = "gone" }).ResponseAsync,
            StatusCode.DataLoss);
        failure.Status.Detail.ShouldBe("gone");
    }

    [Fact]
    public async Task Response_headers_and_trailers()
    {
        using AsyncUnaryCall<EchoMessage> call = Client.UnaryAsync(new EchoMessage { Order = "headers" });
        Metadata headers = await call.ResponseHeadersAsync;
        headers.GetValue("answer").ShouldBe("42");
        headers.GetValueBytes("bytes-bin").ShouldBe([9, 0, 9]);
        await call;
        call.GetTrailers().GetValue("after").ShouldBe("all");
        call.GetTrailers().GetValueBytes("bytes-bin").ShouldBe([7, 0, 7]);
    }

    [Fact]
    public async Task The_context_knows_the_call()
    {
        DateTime deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(60);
        var headers = new Metadata { { "X-Text", "some words" }, { "x-text", "more" }, { "x-raw-bin", [0xFF, 0] } };
        EchoMessage first = await Client.UnaryAsync(new EchoMessage { Order = "context" }, headers, deadline);
        EchoMessage second = await Client.UnaryAsync(new EchoMessage { Order = "context" });

        Dictionary<string, string[]> context = Parse(first.Text);
        context["method"].ShouldBe(["/aggregator.tests.Echo/Unary"]);
        context["host"].ShouldBe([$"127.0.0.1:{Host.Port}"]);
        context["peer"][0].ShouldStartWith("ipv4:127.0.0.1:");
        context["http"].ShouldBe(["HTTP/2"]);
        context["authenticated"].ShouldBe(["False"]);
        context["state"].ShouldBe(["True"]);
        string.Join(", ", context["x-text"]).ShouldBe("some words, more", "HTTP may join the values of a key");
        context["x-raw-bin"].ShouldBe(["FF00"]);
        (DateTime.Parse(context["deadline"][0]).ToUniversalTime() - deadline).Duration().ShouldBeLessThan(TimeSpan.FromSeconds(5));
        Parse(second.Text)["deadline"].ShouldBe([DateTime.MaxValue.ToString("O")]);
        second.Number.ShouldNotBe(first.Number, "the service object is made anew for each call");
    }

    [Fact]
    public async Task What_is_not_there_is_unimplemented()
    {
        Marshaller<EchoMessage> marshaller = Marshallers.Create(
            message => message.ToByteArray(), bytes => EchoMessage.Parser.ParseFrom(bytes));
        CallInvoker invoker = Channel.CreateCallInvoker();
        foreach ((string service, string name) in new[] { ("aggregator.tests.Echo", "Nothing"), ("no.Such", "Service") })
        {
            var method = new Method<EchoMessage, EchoMessage>(MethodType.Unary, service, name, marshaller, marshaller);
            await FailsAsync(
                () => invoker.AsyncUnaryCall(method, null, new CallOptions(), new EchoMessage()).ResponseAsync, StatusCode.Unimplemented);
        }
    }

    private static Dictionary<string, string[]> Parse(string lines) => lines.Split('\n')
        .Select(line => line.Split('=', 2))
        .GroupBy(pair => pair[0], pair => pair[1])
        .ToDictionary(group => group.Key, group => group.ToArray());
}
