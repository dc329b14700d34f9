using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Sessions;

/// <summary>Lanes at the VPS's own port: good ones, and those of whoever has no business here.</summary>
public sealed class TrunkServerTests
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _patience = new(Generous);

    private CancellationToken Patience => _patience.Token;

    [Fact]
    public async Task A_flow_goes_through_two_lanes_and_its_ends_go_along()
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey key = vps.Pair();
        await using TrunkSession session = Session();
        await JoinAsync(vps, key, session, 1, false);
        await JoinAsync(vps, key, session, 2, true);
        using Socket target = Listen();
        Task<byte[]> served = EchoToEndAsync(target);

        byte[] sent = new byte[3_000_000];
        new Random(1).NextBytes(sent);
        TrunkStream stream = (await session.OpenAsync(Target(target), sent.AsMemory(0, 1000), FlowClass.Default, Patience))!;
        await using (stream)
        {
            FlowReply reply = await stream.Opened.WaitAsync(Patience);
            reply.Result.ShouldBe(OpenResult.Opened);
            reply.Bound!.Address.ShouldBe(IPAddress.Loopback);
            Task<byte[]> reading = ReadToEndAsync(stream);
            await stream.WriteAsync(sent.AsMemory(1000), Patience);
            await stream.CompleteWritesAsync(Patience);
            (await reading).AsSpan().SequenceEqual(sent).ShouldBeTrue();
        }

        (await served).AsSpan().SequenceEqual(sent).ShouldBeTrue();
        vps.Sessions.All.Single().Trunks.Single().LaneCount.ShouldBe(2);
    }

    [Fact]
    public async Task What_a_dial_says_is_told_in_the_answer()
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey key = vps.Pair();
        await using TrunkSession session = Session();
        await JoinAsync(vps, key, session, 1, false);

        // Bound and not listening: nobody else can take the port meanwhile.
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        (await AnswerAsync(session, Target(closed))).ShouldBe(OpenResult.Refused);
        (await AnswerAsync(session, new FlowTarget(IPAddress.Parse("10.0.0.1"), 80))).ShouldBe(OpenResult.NotAllowed);
    }

    [Fact]
    public async Task Offers_of_others_unknown_and_repeated_ones_are_refused()
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey home = vps.Pair(), other = vps.Pair("other");
        await using TrunkSession session = Session();
        await JoinAsync(vps, home, session, 7, false);

        (await OfferAsync(vps, other, session.Id, 8, joinOnly: true)).ShouldBe(LaneAnswerStatus.UnknownSession, "it is another gateway's");
        (await OfferAsync(vps, other, session.Id, 8, joinOnly: false)).ShouldBe(LaneAnswerStatus.UnknownSession, "it is another gateway's");
        (await OfferAsync(vps, home, session.Id + 1, 1, joinOnly: true)).ShouldBe(LaneAnswerStatus.UnknownSession, "there is none");
        (await OfferAsync(vps, home, session.Id, 7, joinOnly: true)).ShouldBe(LaneAnswerStatus.Replayed, "the number was used");
        vps.Sessions.All.Single(g => g.Name == "home").Trunks.Single().LaneCount.ShouldBe(1);
    }

    [Fact]
    public async Task A_gateway_has_a_few_sessions_and_no_more()
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey key = vps.Pair();
        for (uint i = 1; i <= TrunkRegistry.MaxSessionsOfGateway; i++)
        {
            (await OfferAsync(vps, key, i, 1, joinOnly: false)).ShouldBe(LaneAnswerStatus.Accepted);
        }

        (await OfferAsync(vps, key, 99, 1, joinOnly: false)).ShouldBe(LaneAnswerStatus.Busy);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Garbage_ends_its_lane_and_nothing_else(bool afterHello)
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey key = vps.Pair();
        await using TrunkSession session = Session();
        await JoinAsync(vps, key, session, 1, false);
        await using (TlsByteStream bad = await vps.DialAsync(key, PinnedTls.TrunkLane, Patience))
        {
            if (afterHello)
            {
                LaneAnswer answer = await LaneHandshake.OfferAsync(bad, new LaneOffer(session.Id, 2, 5, true, LaneRole.Normal, "bad"), Patience);
                answer.Status.ShouldBe(LaneAnswerStatus.Accepted);
            }

            byte[] garbage = new byte[4096];
            Array.Fill(garbage, (byte)0x1f);
            await bad.WriteAsync(garbage, Patience);
            await EndsAsync(bad);
        }

        // The session lives on over its good lane, or is begun anew: the daemon is what must not be hurt.
        using Socket target = Listen();
        Task<byte[]> served = EchoToEndAsync(target);
        await using TrunkSession fresh = Session();
        await JoinAsync(vps, key, fresh, 1, false);
        TrunkStream stream = (await fresh.OpenAsync(Target(target), "hello"u8.ToArray(), FlowClass.Default, Patience))!;
        await using (stream)
        {
            await stream.CompleteWritesAsync(Patience);
            (await ReadToEndAsync(stream)).ShouldBe("hello"u8.ToArray());
        }

        await served;
    }

    [Fact]
    public async Task Revoking_ends_lanes_and_flows_at_once()
    {
        await using VpsUnderTest vps = await VpsUnderTest.StartAsync();
        using IdentityKey key = vps.Pair();
        await using TrunkSession session = Session();
        TrunkLane lane = await JoinAsync(vps, key, session, 1, false);
        using Socket target = Listen();
        Task<Socket> accepted = target.AcceptAsync(Patience).AsTask();
        TrunkStream stream = (await session.OpenAsync(Target(target), "x"u8.ToArray(), FlowClass.Default, Patience))!;
        await using (stream)
        {
            using Socket far = await accepted;
            (await stream.Opened.WaitAsync(Patience)).Result.ShouldBe(OpenResult.Opened);
            vps.Paired.Remove("home");
            vps.Sessions.EndRevoked().ShouldBe(1);
            await lane.Ended.WaitAsync(Patience);
            await Should.ThrowAsync<IOException>(async () => await ReadToEndAsync(stream));
            await Should.ThrowAsync<SocketException>(async () =>
            {
                // The target sees a reset, not an end.
                while (await far.ReceiveAsync(new byte[10], Patience) > 0)
                {
                }

                throw new InvalidOperationException("an end in good order");
            });
        }
    }

    private static TrunkSession Session() => new(
        TrunkRole.Gateway, (UInt128)Random.Shared.NextInt64(1, long.MaxValue), "test", null, new TrunkBudget(TrunkBudget.MinBytes), new TrunkOptions(),
        TimeProvider.System, NullLogger.Instance);

    private static FlowTarget Target(Socket socket) => new(IPAddress.Loopback, (ushort)((IPEndPoint)socket.LocalEndPoint!).Port);

    private static Socket Listen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return socket;
    }

    private async Task<TrunkLane> JoinAsync(VpsUnderTest vps, IdentityKey key, TrunkSession session, uint id, bool joinOnly)
    {
        TlsByteStream stream = await vps.DialAsync(key, PinnedTls.TrunkLane, Patience);
        LaneAnswer answer = await LaneHandshake.OfferAsync(stream, new LaneOffer(session.Id, id, id * 77, joinOnly, LaneRole.Normal, $"wan{id}"), Patience);
        answer.Status.ShouldBe(LaneAnswerStatus.Accepted);
        return session.AddLane(new LaneTransport(id, $"wan{id}", LaneRole.Normal, stream, new SocketLaneMeter(stream.Socket)));
    }

    /// <summary>An offer by itself; the connection ends with it.</summary>
    private async Task<LaneAnswerStatus> OfferAsync(VpsUnderTest vps, IdentityKey key, UInt128 session, uint id, bool joinOnly)
    {
        await using TlsByteStream stream = await vps.DialAsync(key, PinnedTls.TrunkLane, Patience);
        return (await LaneHandshake.OfferAsync(stream, new LaneOffer(session, id, 5, joinOnly, LaneRole.Normal, "x"), Patience)).Status;
    }

    private async Task<OpenResult> AnswerAsync(TrunkSession session, FlowTarget target)
    {
        TrunkStream stream = (await session.OpenAsync(target, ReadOnlyMemory<byte>.Empty, FlowClass.Default, Patience))!;
        await using (stream)
        {
            return (await stream.Opened.WaitAsync(Patience)).Result;
        }
    }

    /// <summary>Takes one connection and returns what it gets, to the end.</summary>
    private async Task<byte[]> EchoToEndAsync(Socket listener)
    {
        using Socket socket = await listener.AcceptAsync(Patience);
        var all = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        int read;
        while ((read = await socket.ReceiveAsync(buffer, Patience)) > 0)
        {
            await all.WriteAsync(buffer.AsMemory(0, read), Patience);
            for (int sent = 0; sent < read;)
            {
                sent += await socket.SendAsync(buffer.AsMemory(sent, read - sent), Patience);
            }
        }

        socket.Shutdown(SocketShutdown.Send);
        return all.ToArray();
    }

    private async Task<byte[]> ReadToEndAsync(TrunkStream stream)
    {
        var all = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, Patience)) > 0)
        {
            await all.WriteAsync(buffer.AsMemory(0, read), Patience);
        }

        return all.ToArray();
    }

    private async Task EndsAsync(TlsByteStream stream)
    {
        try
        {
            byte[] buffer = new byte[4096];
            while (await stream.ReadAsync(buffer, Patience) > 0)
            {
            }
        }
        catch (IOException)
        {
            // A reset is an end too.
        }
    }
}
