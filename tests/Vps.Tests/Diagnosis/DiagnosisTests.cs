using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Cli;
using Aggregator.Doctor;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Vps.Diagnosis;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Diagnosis;

/// <summary>What a gateway's doctor asks, and what nobody else gets.</summary>
public sealed class DiagnosisTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_paired_gateway_learns_how_it_is_seen()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        using var channel = vps.Channel(key);
        var reply = await new Protocol.V1.Diagnosis.DiagnosisClient(channel).ObserveAsync(new ObserveRequest());
        new IPAddress(reply.Address.Span).ShouldBe(IPAddress.Loopback);
        reply.Port.ShouldBeInRange(1U, 65535U);
        reply.Version.ShouldBe(ProductVersion.Text);
        DateTimeOffset.FromUnixTimeMilliseconds(reply.UnixTimeMs).ShouldBe(TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task A_stranger_gets_nothing()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var stranger = IdentityKey.CreateEphemeral();
        using var channel = vps.Channel(stranger);
        var client = new Protocol.V1.Diagnosis.DiagnosisClient(channel);
        (await Should.ThrowAsync<RpcException>(async () => await client.ObserveAsync(new ObserveRequest()))).StatusCode.ShouldBe(StatusCode.Unauthenticated);
        (await Should.ThrowAsync<RpcException>(async () => await client.OpenEchoAsync(new OpenEchoRequest()))).StatusCode.ShouldBe(StatusCode.Unauthenticated);
        (await Should.ThrowAsync<RpcException>(async () => await client.FetchOwnWebAsync(new FetchOwnWebRequest { Host = "a" }))).StatusCode.ShouldBe(StatusCode.Unauthenticated);
    }

    [Fact]
    public async Task Two_ports_answer_for_a_while_and_to_the_token_only()
    {
        var clock = new ManualClock();
        await using var vps = await VpsUnderTest.StartAsync(time: clock);
        using var key = vps.Pair();
        using var channel = vps.Channel(key);
        var client = new Protocol.V1.Diagnosis.DiagnosisClient(channel);
        var echo = await client.OpenEchoAsync(new OpenEchoRequest());
        byte[] token = echo.Token.ToByteArray();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        var request = new byte[EchoDatagram.Bytes];
        // Not answered: the answer that comes is the one to the last.
        await socket.SendToAsync(new byte[EchoDatagram.Bytes], new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
        await socket.SendToAsync(token, new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
        await socket.SendToAsync(new byte[2000], new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
        EchoDatagram.WriteRequest(request, token, 0, 7);
        await socket.SendToAsync(request, new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
        (await AnswerAsync(socket, token)).ShouldBe((new EchoAnswer(0, 7, (IPEndPoint)socket.LocalEndPoint!), (int)echo.FirstPort));

        EchoDatagram.WriteRequest(request, token, EchoDatagram.FromOtherPort, 8);
        await socket.SendToAsync(request, new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
        (await AnswerAsync(socket, token)).ShouldBe((new EchoAnswer(1, 8, (IPEndPoint)socket.LocalEndPoint!), (int)echo.SecondPort));

        (await Should.ThrowAsync<RpcException>(async () => await client.OpenEchoAsync(new OpenEchoRequest()))).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        clock.Advance(EchoDesk.Lifetime);

        // The ports are free again, and the gateway may have others.
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            try
            {
                using var again = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
                again.Bind(new IPEndPoint(IPAddress.Loopback, (int)echo.FirstPort));
                again.Dispose();
                (await client.OpenEchoAsync(new OpenEchoRequest())).Token.ToByteArray().ShouldNotBe(token);
                break;
            }
            catch (Exception e) when (e is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse } or RpcException { StatusCode: StatusCode.ResourceExhausted })
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), limit.Token);
            }
        }
    }

    [Fact]
    public async Task Answers_are_bounded()
    {
        using var stop = new CancellationTokenSource();
        using var pair = EchoPair.Open(IPAddress.Loopback);
        var running = pair.RunAsync(stop.Token);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var request = new byte[EchoDatagram.Bytes];
        EchoDatagram.WriteRequest(request, pair.Token, 0, 1);
        var target = new IPEndPoint(IPAddress.Loopback, pair.FirstPort);
        for (int i = 0; i < EchoPair.MaxAnswers; i++)
        {
            await socket.SendToAsync(request, target);
            await AnswerAsync(socket, pair.Token);
        }

        await socket.SendToAsync(request, target);
        EchoDatagram.WriteRequest(request, pair.Token, 0, 2);
        await socket.SendToAsync(request, target);
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Should.ThrowAsync<OperationCanceledException>(async () => await socket.ReceiveFromAsync(new byte[64], SocketFlags.None, target, patience.Token));
        pair.Answers.ShouldBe(EchoPair.MaxAnswers);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_bad_host_is_refused_before_anything_is_sent()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        using var channel = vps.Channel(key);
        var client = new Protocol.V1.Diagnosis.DiagnosisClient(channel);
        foreach (string host in (string[])["", "a b", "a\r\nX: y", "a/b", new string('a', 300)])
        {
            (await Should.ThrowAsync<RpcException>(async () => await client.FetchOwnWebAsync(new FetchOwnWebRequest { Host = host }))).StatusCode.ShouldBe(StatusCode.InvalidArgument);
        }
    }

    [Fact]
    public async Task A_web_server_is_asked_with_the_host_and_its_first_lines_are_read()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        using var server = await listener.AcceptAsync();
        using var limit = new CancellationTokenSource(Limit);
        var asking = HttpProbe.AskAsync(client, "vps.test", HttpProbe.Path, limit.Token);
        var request = new byte[1024];
        int length = await server.ReceiveAsync(request, limit.Token);
        Encoding.ASCII.GetString(request, 0, length).ShouldStartWith($"GET {HttpProbe.Path} HTTP/1.1\r\nHost: vps.test\r\n");
        await server.SendAsync("HTTP/1.1 301 Moved\r\nLocation: https://vps.test/\r\n"u8.ToArray());
        await server.SendAsync("\r\n"u8.ToArray());
        (await asking).ShouldBe(new HttpAnswer(301, "https://vps.test/"));
    }

    private static async Task<(EchoAnswer Answer, int From)> AnswerAsync(Socket socket, byte[] token)
    {
        using var limit = new CancellationTokenSource(Limit);
        var buffer = new byte[EchoDatagram.Bytes + 1];
        var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), limit.Token);
        EchoDatagram.TryReadAnswer(buffer.AsSpan(0, received.ReceivedBytes), token, out var answer).ShouldBeTrue();
        return (answer, ((IPEndPoint)received.RemoteEndPoint).Port);
    }
}
