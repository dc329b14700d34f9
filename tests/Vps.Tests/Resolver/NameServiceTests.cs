using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Vps.Resolver;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Resolver;

/// <summary>Gateways' questions against name servers that answer well, wrongly, or not at all.</summary>
public sealed class NameServiceTests
{
    private static readonly IPAddress Right = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Wrong = IPAddress.Parse("203.0.113.66");

    [Fact]
    public async Task What_does_not_repeat_number_and_question_is_not_heard()
    {
        await using var server = new Server(query =>
        {
            byte[] otherId = Answer(query, Wrong);
            otherId[0] ^= 0xff;
            byte[] otherName = Answer(query, Wrong);
            otherName[13] = (byte)'z';
            byte[] noAnswer = Answer(query, Wrong);
            noAnswer[2] &= 0x7f;
            return [[], [1], otherId, otherName, noAnswer, otherName[..11], Answer(query, Right)];
        });
        byte[] answer = await AskAsync(server.EndPoint);
        DnsMessage.ReadAddresses(answer, DnsMessage.TypeA).ShouldBe([Right]);
        DnsMessage.Id(answer).ShouldBe((ushort)0x1234);
    }

    [Fact]
    public async Task Every_question_has_a_port_and_a_number_of_its_own()
    {
        await using var server = new Server(query => [Answer(query, Right)]);
        for (int i = 0; i < 8; i++)
        {
            await AskAsync(server.EndPoint);
        }

        server.Seen.Select(s => s.Id).Distinct().Count().ShouldBeGreaterThan(6);
        server.Seen.Select(s => s.From.Port).Distinct().Count().ShouldBeGreaterThan(6);
    }

    [Fact]
    public async Task What_does_not_fit_comes_over_TCP()
    {
        await using var server = new Server(query => [DnsMessage.TruncatedReply(query)], query =>
        {
            DnsMessage.TryReadQuestion(query, out var question);
            return DnsMessage.Addresses(query, question, [.. Enumerable.Range(1, 2000).Select(i => new IPAddress((byte[])[192, 0, (byte)(i >> 8), (byte)i]))], 60);
        });
        DnsMessage.ReadAddresses(await AskAsync(server.EndPoint), DnsMessage.TypeA).Count.ShouldBe(2000);
    }

    [Fact]
    public async Task Who_fails_or_refuses_is_not_the_last_word()
    {
        await using var failing = new Server(query => [DnsMessage.Error(query, DnsCode.ServerFailure)]);
        await using var good = new Server(query => [Answer(query, Right)]);
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var refusing = (IPEndPoint)closed.LocalEndPoint!;
        closed.Dispose();
        DnsMessage.ReadAddresses(await AskAsync(refusing, failing.EndPoint, good.EndPoint), DnsMessage.TypeA).ShouldBe([Right]);
        DnsMessage.Code(await AskAsync(refusing, failing.EndPoint)).ShouldBe(DnsCode.ServerFailure);
        DnsMessage.Code(await AskAsync(refusing)).ShouldBe(DnsCode.ServerFailure);
    }

    [Fact]
    public async Task The_hosts_file_comes_first_as_for_the_hosts_programs()
    {
        var directory = Directory.CreateTempSubdirectory("aggregator-hosts-");
        string file = Path.Combine(directory.FullName, "hosts");
        try
        {
            await using var server = new Server(query => [Answer(query, Wrong)]);
            var service = Service(file, server.EndPoint);
            DnsMessage.ReadAddresses((await service.AnswerAsync(Query(), default))!, DnsMessage.TypeA).ShouldBe([Wrong]);
            await File.WriteAllTextAsync(file, "# none\n192.0.2.1 other.test Name.Test # more\n::1 name.test\nnonsense name.test\n");
            DnsMessage.ReadAddresses((await service.AnswerAsync(Query(), default))!, DnsMessage.TypeA).ShouldBe([Right]);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task What_cannot_be_asked_is_refused_by_its_code()
    {
        var service = Service("/nowhere");
        byte[] inverse = Query();
        inverse[2] |= 0x08;
        DnsMessage.Code((await service.AnswerAsync(inverse, default))!).ShouldBe(DnsCode.Refused);
        byte[] chaos = Query();
        chaos[^1] = 3;
        DnsMessage.Code((await service.AnswerAsync(chaos, default))!).ShouldBe(DnsCode.Refused);
        DnsMessage.Code((await service.AnswerAsync(Query()[..14], default))!).ShouldBe(DnsCode.FormatError);
        (await service.AnswerAsync(DnsMessage.Error(Query(), DnsCode.None), default)).ShouldBeNull("no answer to an answer: that would loop");
        (await service.AnswerAsync([1, 2], default)).ShouldBeNull();
    }

    [Fact]
    public void Any_text_is_a_hosts_file() => Prop.ForAll<string>(text => HostsFile.Parse(text ?? "").Count >= 0).QuickCheckThrowOnFailure();

    private static byte[] Query() => DnsMessage.Query(0x1234, "name.test", DnsMessage.TypeA)!;

    private static byte[] Answer(byte[] query, IPAddress address)
    {
        DnsMessage.TryReadQuestion(query, out var question);
        return DnsMessage.Addresses(query, question, [address], 60);
    }

    private static NameService Service(string hosts, params IPEndPoint[] servers) =>
        new(() => servers, new HostsFile(hosts), TimeProvider.System, NullLogger<NameService>.Instance);

    /// <summary>As a gateway does: over a connection, framed.</summary>
    private static async Task<byte[]> AskAsync(params IPEndPoint[] servers)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var gateway = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await gateway.ConnectAsync(listener.LocalEndPoint!);
        var serving = Service("/nowhere", servers).ServeAsync(await listener.AcceptAsync(), default);
        await gateway.SendAsync(DnsClient.Framed(Query()));
        byte[] length = new byte[2];
        await ReadAsync(gateway, length);
        byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await ReadAsync(gateway, answer);
        gateway.Shutdown(SocketShutdown.Send);
        await serving;
        return answer;
    }

    private static async Task ReadAsync(Socket socket, Memory<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int count = await socket.ReceiveAsync(buffer);
            count.ShouldBeGreaterThan(0);
            buffer = buffer[count..];
        }
    }

    /// <summary>A name server on loopback, UDP and TCP at one port.</summary>
    private sealed class Server : IAsyncDisposable
    {
        private readonly Socket _udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly Socket _tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly Task _loops;

        internal Server(Func<byte[], byte[][]> overUdp, Func<byte[], byte[]>? overTcp = null)
        {
            _tcp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _udp.Bind(_tcp.LocalEndPoint!);
            _tcp.Listen();
            _loops = Task.WhenAll(RunUdpAsync(overUdp), overTcp is null ? Task.CompletedTask : RunTcpAsync(overTcp));
        }

        internal IPEndPoint EndPoint => (IPEndPoint)_udp.LocalEndPoint!;

        internal ConcurrentQueue<(ushort Id, IPEndPoint From)> Seen { get; } = new();

        public async ValueTask DisposeAsync()
        {
            _udp.Dispose();
            _tcp.Dispose();
            try
            {
                await _loops;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        }

        private async Task RunUdpAsync(Func<byte[], byte[][]> answer)
        {
            byte[] buffer = new byte[4096];
            while (true)
            {
                var got = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                byte[] query = buffer[..got.ReceivedBytes];
                Seen.Enqueue((DnsMessage.Id(query), (IPEndPoint)got.RemoteEndPoint));
                foreach (byte[] datagram in answer(query))
                {
                    await _udp.SendToAsync(datagram, got.RemoteEndPoint);
                }
            }
        }

        private async Task RunTcpAsync(Func<byte[], byte[]> answer)
        {
            while (true)
            {
                using Socket client = await _tcp.AcceptAsync();
                byte[] length = new byte[2];
                await ReadAsync(client, length);
                byte[] query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await ReadAsync(client, query);
                await client.SendAsync(DnsClient.Framed(answer(query)));
                client.Shutdown(SocketShutdown.Send);
                await client.ReceiveAsync(length);
            }
        }
    }
}
