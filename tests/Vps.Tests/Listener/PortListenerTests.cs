using System.Net;
using System.Net.Sockets;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Relay;
using Aggregator.Vps.Listener;
using Aggregator.Vps.Tests.Sessions;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Listener;

/// <summary>Whatever comes to the port from people we do not know, while a gateway goes on beside it.</summary>
public sealed class PortListenerTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(90)).Token;

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")]
    [InlineData("AGP1 and no more")]
    [InlineData("\u0016\u0003\u0001\u00ff\u00ff\u0001")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    public async Task Garbage_is_closed_and_forgotten(string text)
    {
        await using var vps = await VpsUnderTest.StartAsync();
        await using (var stream = new SocketByteStream(await vps.DialAsync()))
        {
            await stream.WriteAsync(System.Text.Encoding.Latin1.GetBytes(text), Patience);
            await stream.CompleteWritesAsync(Patience);
            byte[] buffer = new byte[256];
            int total = 0;
            try
            {
                int count;
                while ((count = await stream.ReadAsync(buffer, Patience)) > 0)
                {
                    total += count;
                }
            }
            catch (IOException)
            {
                // Reset: as good as closed.
            }

            // At most one TLS alert (7 bytes): nothing that tells who we are.
            total.ShouldBeLessThanOrEqualTo(7);
        }

        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == 0);
        await WorksAsync(vps);
    }

    [Fact]
    public async Task Random_bytes_harm_nothing()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        var random = new Random(20);
        for (int i = 0; i < 100; i++)
        {
            byte[] bytes = new byte[random.Next(1, 2000)];
            random.NextBytes(bytes);
            if (random.Next(2) == 0)
            {
                // Looks like the beginning of a TLS handshake.
                new byte[] { 0x16, 3, 1 }.CopyTo(bytes, 0);
            }

            await using var stream = new SocketByteStream(await vps.DialAsync());
            try
            {
                await stream.WriteAsync(bytes, Patience);
            }
            catch (IOException)
            {
                // It has made up its mind before the end.
            }

            stream.Abort();
        }

        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == 0);
        await WorksAsync(vps);
    }

    /// <summary>A ClientHello that never ends, one byte at a time: ten seconds from the accept, not from the last byte.</summary>
    [Fact]
    public async Task Slowness_is_cut_off_after_ten_seconds_in_all()
    {
        var clock = new ManualClock();
        await using var vps = await VpsUnderTest.StartAsync(time: clock);
        byte[] hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, .. new byte[100]];
        await using var silent = new SocketByteStream(await vps.DialAsync());
        await using var slow = new SocketByteStream(await vps.DialAsync());
        var silentEnd = silent.WaitToReadAsync(Patience).AsTask();
        var slowEnd = slow.WaitToReadAsync(Patience).AsTask();
        await FlowServerTests.UntilAsync(() => clock.Pending == 2);
        for (int i = 0; i < 9; i++)
        {
            await slow.WriteAsync(hello.AsMemory(i, 1), Patience);
            clock.Advance(TimeSpan.FromSeconds(1));
        }

        silentEnd.IsCompleted.ShouldBeFalse();
        slowEnd.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromSeconds(1));
        await EndsAsync(silentEnd);
        await EndsAsync(slowEnd);
        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == 0);
    }

    [Fact]
    public async Task One_address_gets_so_many_places_and_a_known_one_more()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        List<SocketByteStream> silent = [];
        for (int i = 0; i < Admission.MaxPerAddress; i++)
        {
            silent.Add(new SocketByteStream(await vps.DialAsync()));
        }

        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == Admission.MaxPerAddress);
        await using (var extra = new SocketByteStream(await vps.DialAsync()))
        {
            await EndsAsync(extra.WaitToReadAsync(Patience).AsTask());
        }

        // One leaves, a gateway comes in its place, and its address has room for its bursts from then on.
        silent[0].Abort();
        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == Admission.MaxPerAddress - 1);
        using var key = vps.Pair();
        await using var lane = await vps.LaneAsync(key, Patience);
        for (int i = 0; i < 10; i++)
        {
            await using var another = await vps.LaneAsync(key, Patience);
            silent.Add(new SocketByteStream(await vps.DialAsync()));
        }

        foreach (var stream in silent)
        {
            await stream.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_key_that_is_not_paired_may_pair_and_nothing_else()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var stranger = IdentityKey.CreateEphemeral();

        await using (var lane = await vps.DialAsync(stranger, PinnedTls.Lane, Patience))
        {
            await Should.ThrowAsync<IOException>(FlowServerTests.ReadAllAsync(lane));
        }

        using var channel = vps.Channel(stranger);
        (await Should.ThrowAsync<RpcException>(async () => await new Protocol.V1.Pairing.PairingClient(channel).PairAsync(new PairRequest())))
            .StatusCode.ShouldBe(StatusCode.PermissionDenied);
        using var session = new Control.ControlClient(channel).Session();
        (await Should.ThrowAsync<RpcException>(() => session.ResponseStream.MoveNext(Patience))).StatusCode.ShouldBe(StatusCode.Unauthenticated);
        (await Should.ThrowAsync<RpcException>(async () => await new VpsLocal.VpsLocalClient(channel).GetStatusAsync(new StatusRequest())))
            .StatusCode.ShouldBe(StatusCode.Unauthenticated);

        // Nor does a gateway get at what is for the command line.
        using var key = vps.Pair();
        using var paired = vps.Channel(key);
        (await Should.ThrowAsync<RpcException>(async () => await new VpsLocal.VpsLocalClient(paired).GetStatusAsync(new StatusRequest())))
            .StatusCode.ShouldBe(StatusCode.Unauthenticated);
    }

    [Fact]
    public async Task Strangers_have_half_a_minute_for_pairing()
    {
        var clock = new ManualClock();
        await using var vps = await VpsUnderTest.StartAsync(time: clock);
        using var stranger = IdentityKey.CreateEphemeral();
        await using var stream = await vps.DialAsync(stranger, PinnedTls.Grpc, Patience);
        var end = FlowServerTests.ReadAllAsync(stream);
        await FlowServerTests.UntilAsync(() => clock.Pending == 1);
        vps.Port.Admission.Pending.ShouldBe(1);
        // The timer that was seen may still be the handshake's, which our side ends first: then the half minute begins after this.
        await FlowServerTests.UntilAsync(() =>
        {
            clock.Advance(PortListener.UnknownPeerTime);
            return end.IsCompleted;
        });
        await Should.ThrowAsync<IOException>(end);
        await FlowServerTests.UntilAsync(() => vps.Port.Admission.Pending == 0);
    }

    [Fact]
    public async Task A_session_is_welcomed_answered_and_ended_by_revoking()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        await using var control = await ControlClient.ConnectAsync(vps, key, Patience);
        control.Welcome.FlowProtocol.ShouldBe(1u);
        // The configuration does not allow connections without cipher.
        control.Welcome.PlainKey.IsEmpty.ShouldBeTrue();
        (await control.PingAsync(7, Patience)).ShouldBe(7ul);
        var gateway = vps.Sessions.All.ShouldHaveSingleItem();
        gateway.Control!.Version.ShouldBe("1.2.3");

        vps.Paired.Remove("home");
        vps.Sessions.EndRevoked().ShouldBe(1);
        await Should.ThrowAsync<RpcException>(() => control.NextAsync(Patience));
        await Should.ThrowAsync<RpcException>(async () => await ControlClient.ConnectAsync(vps, key, Patience));
    }

    [Fact]
    public void A_port_in_use_is_one_line_and_not_shared()
    {
        using var first = ListenSocket.Open(new IPEndPoint(IPAddress.Loopback, 0), _ => { });
        var endPoint = (IPEndPoint)first.LocalEndPoint!;
        var error = Should.Throw<ListenException>(() => ListenSocket.Open(endPoint, _ => { }));
        error.Message.ShouldContain("in use");
        error.Message.ShouldNotContain("\n");
        Should.Throw<ListenException>(() => ListenSocket.Open(new IPEndPoint(IPAddress.Parse("203.0.113.200"), 7443), _ => { }))
            .Message.ShouldContain("no address of this host");
    }

    [Fact]
    public async Task The_wildcard_takes_both_families()
    {
        using var socket = ListenSocket.Open(new IPEndPoint(IPAddress.IPv6Any, 0), _ => { });
        int port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        foreach (var address in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            using var client = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(new IPEndPoint(address, port), Patience);
            using var accepted = await socket.AcceptAsync(Patience);
            Admission.KeyOf(((IPEndPoint)accepted.RemoteEndPoint!).Address).AddressFamily.ShouldBe(address.AddressFamily);
        }
    }

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    public void Places_are_counted_by_subscriber(string address, string key) =>
        Admission.KeyOf(IPAddress.Parse(address)).ShouldBe(IPAddress.Parse(key));

    [Fact]
    public void Strangers_leave_room_for_gateways()
    {
        var admission = new Admission();
        int places = 0;
        for (int i = 0; admission.TryEnter(new IPAddress([10, 0, (byte)(i >> 8), (byte)i])) is not null; i++)
        {
            places++;
        }

        places.ShouldBe(Admission.MaxTotal - Admission.ReservedForKnown);
        var gateway = IPAddress.Parse("203.0.113.7");
        admission.TryEnter(gateway).ShouldBeNull();
        admission.AddKnown(gateway);
        admission.TryEnter(gateway).ShouldNotBeNull();
        admission.RemoveKnown(gateway);
        admission.TryEnter(gateway).ShouldBeNull();
    }

    private static async Task WorksAsync(VpsUnderTest vps)
    {
        using var key = vps.Pair();
        await using var lane = await vps.LaneAsync(key, Patience);
    }

    private static async Task EndsAsync(Task wait)
    {
        try
        {
            await wait;
        }
        catch (IOException)
        {
            // A reset is an end as well.
        }
    }
}
