using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Flows;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Resolver;
using Aggregator.Gateway.Tests.Ingress;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Resolver;

/// <summary>The LAN's name server with real sockets to clients and servers, and a carrier that dials itself.</summary>
public sealed class NameServerTests
{
    private static readonly IPAddress Far = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress Near = IPAddress.Parse("192.0.2.2");

    [Fact]
    public async Task A_question_comes_back_with_its_number_and_its_letters()
    {
        await using TestServer upstream = Upstream(q => Answer(q, Far));
        await using Rig rig = new(upstream.EndPoint);
        byte[] query = DnsMessage.Query(0x4711, "WwW.Example.NET", DnsMessage.TypeA)!;
        byte[] answer = await rig.AskUdpAsync(query);
        DnsMessage.Id(answer).ShouldBe((ushort)0x4711);
        answer.AsSpan(12, 17).SequenceEqual(query.AsSpan(12, 17)).ShouldBeTrue();
        DnsMessage.ReadAddresses(answer, DnsMessage.TypeA).ShouldBe([Far]);
        (await rig.AskTcpAsync(query)).ShouldBe(answer);
        rig.Server.Status().AnsweredVps.ShouldBe(2ul);
    }

    [Fact]
    public async Task What_does_not_fit_a_clients_datagram_is_cut_and_comes_whole_over_TCP()
    {
        IPAddress[] many = [.. Enumerable.Range(1, 100).Select(i => new IPAddress((byte[])[192, 0, 2, (byte)i]))];
        await using TestServer upstream = Upstream(q => Answer(q, many));
        await using Rig rig = new(upstream.EndPoint);
        byte[] plain = Query("big.test");
        byte[] cut = await rig.AskUdpAsync(plain);
        DnsMessage.IsTruncated(cut).ShouldBeTrue();
        cut.Length.ShouldBeLessThanOrEqualTo(512);
        DnsMessage.ReadAddresses(await rig.AskTcpAsync(plain), DnsMessage.TypeA).Count.ShouldBe(100);
        byte[] roomy = [.. plain, 0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0];
        roomy[11] = 1;
        DnsMessage.ReadAddresses(await rig.AskUdpAsync(roomy), DnsMessage.TypeA).Count.ShouldBe(100);
    }

    [Fact]
    public async Task Equal_questions_at_one_time_are_asked_once()
    {
        var open = new TaskCompletionSource();
        int asked = 0;
        await using TestServer upstream = Upstream(q => Answer(q, Far), async () =>
        {
            Interlocked.Increment(ref asked);
            await open.Task;
        });
        await using Rig rig = new(upstream.EndPoint);
        var answers = Enumerable.Range(0, 20).Select(i => rig.AskUdpAsync(DnsMessage.Query((ushort)i, i % 2 == 0 ? "same.test" : "SAME.test", DnsMessage.TypeA)!)).ToArray();
        await IngressRig.Eventually(() => rig.Server.Status().Shared == 19);
        open.SetResult();
        (await Task.WhenAll(answers)).Select(a => DnsMessage.Id(a)).ShouldBe(Enumerable.Range(0, 20).Select(i => (ushort)i));
        asked.ShouldBe(1);
    }

    [Fact]
    public async Task Split_domains_have_their_own_servers_and_the_longest_counts()
    {
        await using TestServer upstream = Upstream(q => Answer(q, Far));
        await using var lan = new DnsEcho(q => Answer(q, Near));
        await using var deep = new DnsEcho(q => DnsMessage.Error(q, DnsCode.NameError));
        await using Rig rig = new(upstream.EndPoint, new DnsConfig { Split = [new DnsSplit("lan", lan.EndPoint), new DnsSplit("deep.lan", deep.EndPoint)] });
        foreach (var (name, address) in ((string, IPAddress?)[])[("nas.LAN", Near), ("lan", Near), ("x.deep.lan", null), ("wlan", Far), ("lan.test", Far)])
        {
            DnsMessage.ReadAddresses(await rig.AskUdpAsync(Query(name)), DnsMessage.TypeA).ShouldBe(address is null ? [] : [address], name);
        }

        rig.Server.Status().AnsweredSplit.ShouldBe(3ul);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_a_VPS_the_policy_decides(bool fallBack)
    {
        await using var near = new DnsEcho(q => Answer(q, Near));
        await using Rig rig = new(new IPEndPoint(Far, 53), new DnsConfig { Direct = [near.EndPoint] }, fallBack, _ => OpenResult.NoCarrier);
        byte[] answer = await rig.AskUdpAsync(Query("www.test"));
        DnsMessage.Code(answer).ShouldBe(fallBack ? DnsCode.None : DnsCode.ServerFailure);
        near.Asked.Count.ShouldBe(fallBack ? 1 : 0, "nobody asks without the VPS unless told to");
        rig.Server.Status().HasProblem.ShouldBe(!fallBack);
    }

    [Fact]
    public async Task One_client_cannot_take_all_places()
    {
        var open = new TaskCompletionSource();
        await using TestServer upstream = Upstream(q => Answer(q, Far), () => open.Task);
        await using Rig rig = new(upstream.EndPoint, limits: new ResolverLimits { MaxOfClient = 3 });
        var first = Enumerable.Range(0, 3).Select(i => rig.AskUdpAsync(Query($"n{i}.test"))).ToArray();
        await IngressRig.Eventually(() => rig.Carried == 3);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await client.SendToAsync(Query("n4.test"), rig.EndPoint);
        await IngressRig.Eventually(() => rig.Server.Status().Refused == 1);
        open.SetResult();
        await Task.WhenAll(first);
        DnsMessage.Code(await rig.AskUdpAsync(Query("n5.test"))).ShouldBe(DnsCode.None);
    }

    [Fact]
    public async Task Questions_of_one_connection_do_not_wait_for_each_other()
    {
        var slow = new TaskCompletionSource();
        await using TestServer upstream = Upstream(q => Answer(q, Far), null, q => q.AsSpan().IndexOf("slow"u8) > 0 ? slow.Task : Task.CompletedTask);
        await using Rig rig = new(upstream.EndPoint);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(rig.EndPoint);
        await TestServer.SendAsync(client, (byte[])[.. DnsClient.Framed(Query("slow.test", 1)), .. DnsClient.Framed(Query("fast.test", 2))]);
        DnsMessage.Id(await ReadFrameAsync(client)).ShouldBe((ushort)2);
        slow.SetResult();
        DnsMessage.Id(await ReadFrameAsync(client)).ShouldBe((ushort)1);
    }

    [Fact]
    public async Task What_is_no_question_of_a_client_is_refused_by_its_code()
    {
        await using Rig rig = new(new IPEndPoint(Far, 53));
        byte[] transfer = Query("a.test");
        transfer[^3] = 252;
        DnsMessage.Code(await rig.AskUdpAsync(transfer)).ShouldBe(DnsCode.Refused);
        byte[] update = Query("a.test");
        update[2] = 0x28;
        DnsMessage.Code(await rig.AskUdpAsync(update)).ShouldBe(DnsCode.NotImplemented);
        DnsMessage.Code(await rig.AskUdpAsync(Query("a.test")[..15])).ShouldBe(DnsCode.FormatError);
        rig.Carried.ShouldBe(0);
    }

    [Fact]
    public async Task Any_bytes_are_taken()
    {
        await using Rig rig = new(new IPEndPoint(Far, 53), carrier: _ => OpenResult.HostUnreachable);
        Prop.ForAll<byte[]>(bytes =>
        {
            byte[] query = [.. Query("a.test").Take(bytes.Length % 30), .. bytes];
            byte[]? answer = rig.Desk.AnswerAsync(query, IPAddress.Loopback).GetAwaiter().GetResult();
            return answer is null || (DnsMessage.Id(answer) == DnsMessage.Id(query) && !DnsMessage.IsQuery(answer));
        }).QuickCheckThrowOnFailure();
    }

    private static byte[] Query(string name, ushort id = 77) => DnsMessage.Query(id, name, DnsMessage.TypeA)!;

    private static byte[] Answer(byte[] query, params IPAddress[] addresses)
    {
        DnsMessage.TryReadQuestion(query, out var question);
        return DnsMessage.Addresses(query, question, addresses, 60);
    }

    /// <summary>A name server over TCP, as the VPS reaches it.</summary>
    private static TestServer Upstream(Func<byte[], byte[]> answer, Func<Task>? before = null, Func<byte[], Task>? beforeOne = null) => TestServer.Start(async socket =>
    {
        byte[] query = await ReadFrameAsync(socket);
        await (before?.Invoke() ?? beforeOne?.Invoke(query) ?? Task.CompletedTask);
        await TestServer.SendAsync(socket, DnsClient.Framed(answer(query)));
    });

    private static async Task<byte[]> ReadFrameAsync(Socket socket) => await socket.ReadAsync(BinaryPrimitives.ReadUInt16BigEndian(await socket.ReadAsync(2)));

    private sealed class Rig : IAsyncDisposable
    {
        private readonly DirectCarrier _carrier;

        internal Rig(IPEndPoint upstream, DnsConfig? config = null, bool fallBack = false, Func<FlowTarget, OpenResult?>? carrier = null, ResolverLimits? limits = null)
        {
            _carrier = new DirectCarrier { Refuse = carrier ?? (_ => null) };
            config = (config ?? new DnsConfig()) with { Listen = [new IPEndPoint(IPAddress.Loopback, 0)], Upstream = [upstream] };
            limits ??= ResolverLimits.Default;
            var time = TimeProvider.System;
            var direct = new DirectQuestion(config.Direct, config.Listen, () => LinkSnapshot.Empty, () => [], time);
            Desk = new NameDesk(config, new CarriedQuestion(_carrier, time), direct, () => false, fallBack, limits, time, NullLogger.Instance);
            Server = new NameServer(config, Desk, () => LinkSnapshot.Empty, limits, time, NullLogger.Instance);
            Server.Start().ShouldBeNull();
            EndPoint = IPEndPoint.Parse(Server.Status().Listen[0]);
        }

        internal NameDesk Desk { get; }

        internal NameServer Server { get; }

        internal IPEndPoint EndPoint { get; }

        internal int Carried => _carrier.Opens.Count;

        internal async Task<byte[]> AskUdpAsync(byte[] query)
        {
            using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            await client.SendToAsync(query, EndPoint);
            byte[] answer = new byte[65536];
            using var patience = new CancellationTokenSource(IngressRig.Patience);
            return answer[..await client.ReceiveAsync(answer, patience.Token)];
        }

        internal async Task<byte[]> AskTcpAsync(byte[] query)
        {
            using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(EndPoint);
            await TestServer.SendAsync(client, DnsClient.Framed(query));
            return await ReadFrameAsync(client);
        }

        public async ValueTask DisposeAsync()
        {
            await Server.DisposeAsync();
            await _carrier.DisposeAsync();
        }
    }

    /// <summary>A name server over UDP on loopback.</summary>
    private sealed class DnsEcho : IAsyncDisposable
    {
        private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        private readonly Task _loop;

        internal DnsEcho(Func<byte[], byte[]> answer)
        {
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _loop = RunAsync(answer);
        }

        internal IPEndPoint EndPoint => (IPEndPoint)_socket.LocalEndPoint!;

        internal ConcurrentQueue<byte[]> Asked { get; } = new();

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            await _loop;
        }

        private async Task RunAsync(Func<byte[], byte[]> answer)
        {
            byte[] buffer = new byte[4096];
            try
            {
                while (true)
                {
                    var got = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                    Asked.Enqueue(buffer[..got.ReceivedBytes]);
                    await _socket.SendToAsync(answer(buffer[..got.ReceivedBytes]), got.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        }
    }
}
