using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Identity;
using Aggregator.Relay;
using Aggregator.Vps.Configuration;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Sessions;

/// <summary>Flows through the whole daemon: gateway's half ── port ── sessions ── egress ── a real target.</summary>
public sealed class FlowServerTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(90)).Token;

    [Fact]
    public async Task Bytes_ends_and_the_bound_address_come_through()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var target = Target();
        using var key = vps.Pair("metered");
        await using var flow = await vps.LaneAsync(key, Patience);
        byte[] up = new byte[1_000_003];
        Random.Shared.NextBytes(up);
        await FlowClient.OpenAsync(flow, TargetOf(target), up, Patience);
        using var accepted = await target.AcceptAsync(Patience);
        await using var server = new SocketByteStream(accepted);
        await flow.CompleteWritesAsync(Patience);

        var reply = await FlowClient.ReadReplyAsync(flow, Patience);
        reply.ShouldBe(new FlowReply(OpenResult.Opened, (IPEndPoint)accepted.RemoteEndPoint!));
        (await ReadAllAsync(server)).AsSpan().SequenceEqual(up).ShouldBeTrue();
        await server.WriteAsync("answer"u8.ToArray(), Patience);
        await server.CompleteWritesAsync(Patience);
        (await ReadAllAsync(flow)).ShouldBe("answer"u8.ToArray());

        var gateway = vps.Sessions.All.ShouldHaveSingleItem();
        await UntilAsync(() => gateway is { FlowsActive: 0, ConnectionCount: 0 });
        gateway.FlowsTotal.ShouldBe(1);
        gateway.FlowsFailed.ShouldBe(0);
        gateway.FromGateway.Value.ShouldBe(up.Length);
        gateway.ToGateway.Value.ShouldBe("answer".Length);
        Metrics().ShouldBe([("aggregator.flows", 1), ("aggregator.flows.active", 0), ("aggregator.flows.failed", 0), ("aggregator.received", up.Length), ("aggregator.sent", 6)]);
        vps.Budget.InUseBytes.ShouldBe(0);
    }

    [Fact]
    public async Task A_reset_goes_both_ways()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var target = Target();
        using var key = vps.Pair();

        var (flow, server) = await OpenAsync(vps, key, target);
        server.Abort();
        IsReset(await Should.ThrowAsync<IOException>(ReadAllAsync(flow))).ShouldBeTrue();
        await flow.DisposeAsync();

        (flow, server) = await OpenAsync(vps, key, target);
        flow.Abort();
        IsReset(await Should.ThrowAsync<IOException>(ReadAllAsync(server))).ShouldBeTrue();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task What_cannot_be_dialled_is_said_and_early_bytes_do_not_overtake_it()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        ushort unused;
        using (var target = Target())
        {
            unused = TargetOf(target).Port;
        }

        (FlowTarget Target, OpenResult Result)[] cases =
        [
            (new FlowTarget(IPAddress.Loopback, unused), OpenResult.Refused),
            (new FlowTarget("localhost", unused), OpenResult.Refused),
            (new FlowTarget(IPAddress.Parse("10.1.2.3"), 80), OpenResult.NotAllowed),
            (new FlowTarget("10.1.2.3", 80), OpenResult.NotAllowed),
            (new FlowTarget(IPAddress.Parse("169.254.169.254"), 80), OpenResult.NotAllowed),
        ];
        foreach (var (target, result) in cases)
        {
            await using var flow = await vps.LaneAsync(key, Patience);
            await FlowClient.OpenAsync(flow, target, new byte[100_000], Patience);
            (await FlowClient.ReadReplyAsync(flow, Patience)).ShouldBe(new FlowReply(result, null));
            (await ReadAllAsync(flow)).ShouldBeEmpty();
        }

        var gateway = vps.Sessions.All.ShouldHaveSingleItem();
        await UntilAsync(() => gateway.FlowsActive == 0);
        gateway.FlowsFailed.ShouldBe(cases.Length);
    }

    [Fact]
    public async Task An_idle_connection_waits_its_time_and_no_longer()
    {
        var clock = new ManualClock();
        await using var vps = await VpsUnderTest.StartAsync(time: clock);
        using var key = vps.Pair();
        await using var idle = await vps.LaneAsync(key, Patience);
        var end = idle.WaitToReadAsync(Patience).AsTask();
        await UntilAsync(() => clock.Pending == 1);
        clock.Advance(TimeSpan.FromMinutes(14));
        end.IsCompleted.ShouldBeFalse();
        clock.Advance(TimeSpan.FromMinutes(2));
        await Should.ThrowAsync<IOException>(end);
    }

    [Theory]
    [InlineData(new byte[] { 0x02, 4, 4, 0, 80 })]
    [InlineData(new byte[] { 0x01, 9, 4, 0, 80 })]
    [InlineData(new byte[] { 0x01, 4, 5, 0, 80 })]
    [InlineData(new byte[] { 0x01, 3, 2, 0, 80, 0x20, 0x00 })]
    public async Task Nonsense_ends_the_connection_without_a_word(byte[] open)
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        await using var flow = await vps.LaneAsync(key, Patience);
        await flow.WriteAsync(open, Patience);
        IsReset(await Should.ThrowAsync<IOException>(ReadAllAsync(flow))).ShouldBeTrue();
    }

    [Fact]
    public async Task A_revoked_gateway_loses_everything_at_once_and_cannot_come_back()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var target = Target();
        using var key = vps.Pair();
        using var other = vps.Pair("other");
        var (flow, server) = await OpenAsync(vps, key, target);
        var idle = await vps.LaneAsync(key, Patience);
        var (kept, keptServer) = await OpenAsync(vps, other, target);

        vps.Paired.Remove("home").ShouldBeTrue();
        vps.Sessions.EndRevoked().ShouldBe(2);
        await Should.ThrowAsync<IOException>(ReadAllAsync(flow));
        await Should.ThrowAsync<IOException>(ReadAllAsync(idle));
        IsReset(await Should.ThrowAsync<IOException>(ReadAllAsync(server))).ShouldBeTrue();
        await Should.ThrowAsync<IOException>(vps.LaneAsync(key, Patience));

        await kept.WriteAsync("still"u8.ToArray(), Patience);
        byte[] received = new byte[5];
        await keptServer.ReadExactlyAsync(received, Patience);
        received.ShouldBe("still"u8.ToArray());
        foreach (IByteStream stream in (IByteStream[])[flow, idle, kept, server, keptServer])
        {
            await stream.DisposeAsync();
        }
    }

    [Fact]
    public async Task More_idle_connections_than_agreed_are_busy()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var key = vps.Pair();
        List<TlsByteStream> idle = [];
        for (int i = 0; i < Aggregator.Vps.Sessions.LiveGateway.MaxIdle; i++)
        {
            idle.Add(await vps.LaneAsync(key, Patience));
        }

        await using (var extra = await vps.DialAsync(key, PinnedTls.Lane, Patience))
        {
            (await FlowClient.ReadGreetingAsync(extra, Patience)).ShouldBe(GreetingStatus.Busy);
            (await ReadAllAsync(extra)).ShouldBeEmpty();
        }

        // One that leaves makes room.
        await idle[0].DisposeAsync();
        var gateway = vps.Sessions.All.ShouldHaveSingleItem();
        await UntilAsync(() => gateway.ConnectionCount == idle.Count - 1);
        idle[0] = await vps.LaneAsync(key, Patience);
        foreach (var stream in idle)
        {
            await stream.DisposeAsync();
        }
    }

    /// <summary>Until the target answers, the client's bytes stay with the client: nothing is piled up here.</summary>
    [Fact]
    public async Task A_target_that_does_not_read_holds_the_client_back()
    {
        await using var vps = await VpsUnderTest.StartAsync();
        using var target = Target();
        using var key = vps.Pair();
        var (flow, server) = await OpenAsync(vps, key, target);
        var write = flow.WriteAsync(new byte[256 * 1024 * 1024], Patience).AsTask();
        await UntilAsync(() => vps.Budget.InUseBytes > 0);
        (await Task.WhenAny(write, Task.Delay(TimeSpan.FromSeconds(1), Patience))).ShouldNotBe(write);
        vps.Budget.InUseBytes.ShouldBeLessThanOrEqualTo(RelayBudget.LargeBytes);
        flow.Abort();
        await Should.ThrowAsync<IOException>(write);
        await Should.ThrowAsync<IOException>(ReadAllAsync(server));
        await flow.DisposeAsync();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Without_cipher_only_what_is_proven_and_new()
    {
        await using var vps = await VpsUnderTest.StartAsync(new VpsConfig { EgressAllow = [IPNetwork.Parse("127.0.0.0/8")], AllowPlain = true });
        using var target = Target();
        using var key = vps.Pair();
        await using var control = await ControlClient.ConnectAsync(vps, key, Patience);
        byte[] session = control.Welcome.SessionId.ToByteArray();
        byte[] secret = control.Welcome.PlainKey.ToByteArray();

        byte[] preface = new byte[PlainPreface.Bytes];
        PlainPreface.Write(preface, session, 1, secret);
        await using (var flow = new SocketByteStream(await vps.DialAsync()))
        {
            await flow.WriteAsync(preface, Patience);
            (await FlowClient.ReadGreetingAsync(flow, Patience)).ShouldBe(GreetingStatus.Ready);
            await FlowClient.OpenAsync(flow, TargetOf(target), "in clear"u8.ToArray(), Patience);
            using var accepted = await target.AcceptAsync(Patience);
            await using var server = new SocketByteStream(accepted);
            (await FlowClient.ReadReplyAsync(flow, Patience)).Result.ShouldBe(OpenResult.Opened);
            await flow.CompleteWritesAsync(Patience);
            (await ReadAllAsync(server)).ShouldBe("in clear"u8.ToArray());
        }

        // The same once more; a forged one; one of a session that there is not.
        byte[] forged = [.. preface];
        PlainPreface.Write(forged, session, 2, new byte[PlainPreface.KeyBytes]);
        byte[] foreign = [.. preface];
        PlainPreface.Write(foreign, new byte[PlainPreface.SessionIdBytes], 2, secret);
        foreach (byte[] bad in (byte[][])[preface, forged, foreign])
        {
            await using var flow = new SocketByteStream(await vps.DialAsync());
            await flow.WriteAsync(bad, Patience);
            IsReset(await Should.ThrowAsync<IOException>(ReadAllAsync(flow))).ShouldBeTrue();
        }

        // The session's end is the key's end.
        await control.DisposeAsync();
        PlainPreface.Write(preface, session, 3, secret);
        await UntilAsync(() => vps.Sessions.All.Single().Control is null);
        await using (var late = new SocketByteStream(await vps.DialAsync()))
        {
            await late.WriteAsync(preface, Patience);
            await Should.ThrowAsync<IOException>(ReadAllAsync(late));
        }
    }

    private static (string Name, long Value)[] Metrics()
    {
        // Other tests have daemons of their own: theirs is another gateway.
        var values = new List<(string, long)>();
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == Aggregator.Vps.Sessions.SessionMetrics.MeterName)
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            if (tags is [{ Value: "metered" }])
            {
                values.Add((instrument.Name, value));
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return [.. values.Order()];
    }

    internal static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(5, Patience);
        }
    }

    internal static Socket Target()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(64);
        return socket;
    }

    internal static FlowTarget TargetOf(Socket socket) => new(IPAddress.Loopback, (ushort)((IPEndPoint)socket.LocalEndPoint!).Port);

    private static async Task<(TlsByteStream Flow, SocketByteStream Server)> OpenAsync(VpsUnderTest vps, IdentityKey key, Socket target)
    {
        var flow = await vps.LaneAsync(key, Patience);
        await FlowClient.OpenAsync(flow, TargetOf(target), default, Patience);
        (await FlowClient.ReadReplyAsync(flow, Patience)).Result.ShouldBe(OpenResult.Opened);
        return (flow, new SocketByteStream(await target.AcceptAsync(Patience)));
    }

    private static bool IsReset(Exception error) =>
        error is SocketException { SocketErrorCode: SocketError.ConnectionReset } || (error.InnerException is { } inner && IsReset(inner));

    internal static async Task<byte[]> ReadAllAsync(IByteStream stream)
    {
        var all = new MemoryStream();
        byte[] buffer = new byte[65536];
        int count;
        while ((count = await stream.ReadAsync(buffer, Patience)) > 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }
}
