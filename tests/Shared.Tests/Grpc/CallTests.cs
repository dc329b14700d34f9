using System.Diagnostics;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Our client and our server: what every call does, and the edges of it.</summary>
public sealed class CallTests : IAsyncLifetime
{
    private EchoHost _host = null!;
    private GrpcChannel _channel = null!;
    private Echo.EchoClient _client = null!;

    public async Task InitializeAsync()
    {
        _host = await EchoHost.StartAsync();
        _channel = GrpcChannel.ForAddress(_host.Address);
        _client = new Echo.EchoClient(_channel);
    }

    public async Task DisposeAsync()
    {
        _channel.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task All_four_kinds()
    {
        (await _client.UnaryAsync(new EchoMessage { Text = "äöü" })).Text.ShouldBe("äöü");
        _client.Unary(new EchoMessage { Text = "blocking" }).Text.ShouldBe("blocking");

        using AsyncClientStreamingCall<EchoMessage, EchoMessage> join = _client.Join();
        await join.RequestStream.WriteAsync(new EchoMessage { Text = "a" });
        await join.RequestStream.WriteAsync(new EchoMessage { Text = "b" });
        await join.RequestStream.CompleteAsync();
        (await join).Text.ShouldBe("a,b");

        using AsyncServerStreamingCall<EchoMessage> repeat = _client.Repeat(new EchoMessage { Text = "x", Number = 3 });
        var numbers = new List<int>();
        await foreach (EchoMessage message in repeat.ResponseStream.ReadAllAsync())
        {
            numbers.Add(message.Number);
        }

        numbers.ShouldBe([0, 1, 2]);
        repeat.GetStatus().StatusCode.ShouldBe(StatusCode.OK);
        repeat.GetTrailers().GetValue("count").ShouldBe("3");

        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = _client.Chat();
        for (int i = 0; i < 10; i++)
        {
            await chat.RequestStream.WriteAsync(new EchoMessage { Number = i });
            (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
            chat.ResponseStream.Current.Number.ShouldBe(i);
        }

        await chat.RequestStream.CompleteAsync();
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        chat.ResponseStream.Current.Text.ShouldBe("bye");
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        (await chat.ResponseStream.MoveNext()).ShouldBeFalse();
        chat.GetStatus().ShouldBe(Status.DefaultSuccess);
        _host.Logs.Errors.ShouldBeEmpty();
    }
}
