using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;
using Aggregator.Vps.Configuration;
using Aggregator.Vps.Egress;
using Shouldly;
using Xunit;

namespace Aggregator.Vps.Tests.Egress;

/// <summary>Real sockets on loopback; only the name server is ours.</summary>
public sealed class DialerTests
{
    /// <summary>From each use on: of the class it would end the last tests of a loaded machine.</summary>
    private static CancellationToken Patience => new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    private readonly Names _names = new();

    [Fact]
    public async Task A_black_hole_in_one_family_costs_a_quarter_of_a_second()
    {
        using var v4 = Listen(IPAddress.Loopback, 0);
        int port = PortOf(v4);
        using var v6 = await BlackHole.AtAsync(IPAddress.IPv6Loopback, port);
        _names.Say("site.test", AddressFamily.InterNetworkV6, IPAddress.IPv6Loopback);
        _names.Say("site.test", AddressFamily.InterNetwork, IPAddress.Loopback);

        long start = Stopwatch.GetTimestamp();
        var result = await Dialer().DialAsync(new FlowTarget("site.test", (ushort)port), Patience);
        var elapsed = Stopwatch.GetElapsedTime(start);

        result.Result.ShouldBe(OpenResult.Opened);
        using var socket = result.Socket!;
        ((IPEndPoint)socket.RemoteEndPoint!).Address.ShouldBe(IPAddress.Loopback);
        // IPv6 was tried first, and had its time; the upper bound is the next of TCP's own retries.
        elapsed.ShouldBeGreaterThan(Aggregator.Vps.Egress.Dialer.AttemptDelay - TimeSpan.FromMilliseconds(5));
        elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task A_refusal_moves_on_at_once()
    {
        using var v4 = Listen(IPAddress.Loopback, 0);
        int port = PortOf(v4);
        _names.Say("site.test", AddressFamily.InterNetworkV6, IPAddress.IPv6Loopback);
        _names.Say("site.test", AddressFamily.InterNetwork, IPAddress.Loopback);
        var result = await Dialer().DialAsync(new FlowTarget("site.test", (ushort)port), Patience);
        using var socket = result.Socket;
        result.Result.ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task IPv6_is_taken_where_both_work_also_when_its_answer_is_a_moment_late()
    {
        using var v6 = Listen(IPAddress.IPv6Any, 0);
        var late = new TaskCompletionSource<NameAnswer>();
        _names.Say("site.test", AddressFamily.InterNetworkV6, late.Task);
        _names.Say("site.test", AddressFamily.InterNetwork, IPAddress.Loopback);
        var dial = Dialer().DialAsync(new FlowTarget("site.test", (ushort)PortOf(v6)), Patience);
        late.SetResult(new NameAnswer(NameStatus.Found, [IPAddress.IPv6Loopback]));
        var result = await dial;
        using var socket = result.Socket!;
        ((IPEndPoint)socket.RemoteEndPoint!).Address.ShouldBe(IPAddress.IPv6Loopback);
    }

    [Fact]
    public async Task An_answer_that_never_comes_holds_nobody_up()
    {
        using var v4 = Listen(IPAddress.Loopback, 0);
        _names.Say("site.test", AddressFamily.InterNetworkV6, new TaskCompletionSource<NameAnswer>().Task);
        _names.Say("site.test", AddressFamily.InterNetwork, IPAddress.Loopback);
        var result = await Dialer().DialAsync(new FlowTarget("site.test", (ushort)PortOf(v4)), Patience);
        using var socket = result.Socket;
        result.Result.ShouldBe(OpenResult.Opened);
    }

    [Fact]
    public async Task Failures_have_their_names()
    {
        int unused;
        using (var listener = Listen(IPAddress.Loopback, 0))
        {
            unused = PortOf(listener);
        }

        (await Dialer().DialAsync(new FlowTarget(IPAddress.Loopback, (ushort)unused), Patience)).Result.ShouldBe(OpenResult.Refused);
        (await Dialer().DialAsync(new FlowTarget("nobody.test", 1), Patience)).Result.ShouldBe(OpenResult.NameNotFound);

        _names.Say("slow.test", AddressFamily.InterNetwork, Task.FromResult(new NameAnswer(NameStatus.NoAnswer, [])));
        (await Dialer().DialAsync(new FlowTarget("slow.test", 1), Patience)).Result.ShouldBe(OpenResult.TimedOut);

        _names.Say("busy.test", AddressFamily.InterNetwork, Task.FromResult(new NameAnswer(NameStatus.Busy, [])));
        (await Dialer().DialAsync(new FlowTarget("busy.test", 1), Patience)).Result.ShouldBe(OpenResult.Busy);
    }

    [Fact]
    public async Task What_is_not_allowed_is_not_dialled_by_whatever_name()
    {
        using var listener = Listen(IPAddress.Loopback, 0);
        ushort port = (ushort)PortOf(listener);
        var strict = Dialer(new VpsConfig());
        _names.Say("inside.test", AddressFamily.InterNetwork, IPAddress.Loopback);
        (await strict.DialAsync(new FlowTarget("inside.test", port), Patience)).Result.ShouldBe(OpenResult.NotAllowed);
        (await strict.DialAsync(new FlowTarget(IPAddress.Loopback, port), Patience)).Result.ShouldBe(OpenResult.NotAllowed);
        (await strict.DialAsync(new FlowTarget(IPAddress.Parse("::ffff:127.0.0.1"), port), Patience)).Result.ShouldBe(OpenResult.NotAllowed);
        listener.Poll(0, SelectMode.SelectRead).ShouldBeFalse();
    }

    /// <summary>A name server that answers something else the second time gets the second answer judged, not the first.</summary>
    [Fact]
    public async Task A_name_that_changes_its_mind_gains_nothing()
    {
        using var listener = Listen(IPAddress.Loopback, 0);
        ushort port = (ushort)PortOf(listener);
        var dialer = Dialer(new VpsConfig { EgressAllow = [IPNetwork.Parse("127.0.0.1/32")] });
        _names.Say("rebind.test", AddressFamily.InterNetwork, IPAddress.Loopback);
        using (var socket = (await dialer.DialAsync(new FlowTarget("rebind.test", port), Patience)).Socket)
        {
            socket.ShouldNotBeNull();
        }

        _names.Say("rebind.test", AddressFamily.InterNetwork, IPAddress.Parse("127.0.0.2"));
        (await dialer.DialAsync(new FlowTarget("rebind.test", port), Patience)).Result.ShouldBe(OpenResult.NotAllowed);
    }

    [Fact]
    public async Task A_cancelled_dial_says_so()
    {
        using var hole = await BlackHole.AtAsync(IPAddress.Loopback, 0);
        using var source = new CancellationTokenSource();
        var dial = Dialer().DialAsync(new FlowTarget(IPAddress.Loopback, (ushort)hole.Port), source.Token);
        await source.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(dial);
    }

    [Theory]
    [InlineData(SocketError.ConnectionRefused, (byte)OpenResult.Refused)]
    [InlineData(SocketError.TimedOut, (byte)OpenResult.TimedOut)]
    [InlineData(SocketError.NetworkUnreachable, (byte)OpenResult.NetworkUnreachable)]
    [InlineData(SocketError.HostUnreachable, (byte)OpenResult.HostUnreachable)]
    [InlineData(SocketError.AccessDenied, (byte)OpenResult.NotAllowed)]
    [InlineData(SocketError.TooManyOpenSockets, (byte)OpenResult.Busy)]
    [InlineData(SocketError.AddressNotAvailable, (byte)OpenResult.Busy)]
    [InlineData(SocketError.ProtocolNotSupported, (byte)OpenResult.Failed)]
    public void Errors_of_connect_are_told_as_what_they_are(SocketError error, byte result) =>
        DialResult.Of(error).ShouldBe((OpenResult)result);

    [Fact]
    public async Task The_hosts_resolver_answers_and_says_when_it_cannot()
    {
        var resolver = new NameResolver(TimeProvider.System);
        (await resolver.ResolveAsync("localhost", AddressFamily.InterNetwork)).Addresses.ShouldContain(IPAddress.Loopback);
        (await resolver.ResolveAsync("127.0.0.1", AddressFamily.InterNetwork)).Addresses.ShouldBe([IPAddress.Loopback]);
        (await resolver.ResolveAsync(new string('a', 255), AddressFamily.InterNetwork)).Status.ShouldBe(NameStatus.NotFound);
        // Many questions for one name are one.
        var many = Enumerable.Range(0, 1000).Select(_ => resolver.ResolveAsync("localhost", AddressFamily.InterNetwork)).ToArray();
        many.Distinct().Count().ShouldBeLessThan(3);
    }

    private Dialer Dialer(VpsConfig? config = null)
    {
        var own = new FixedAddresses();
        config ??= new VpsConfig { EgressAllow = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")] };
        return new Dialer(_names, new EgressPolicySource(new VpsConfigSource(config), own), own, TimeProvider.System);
    }

    private static Socket Listen(IPAddress address, int port)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(address, port));
        socket.Listen(8);
        return socket;
    }

    private static int PortOf(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;

    private sealed class Names : INameResolver
    {
        private readonly ConcurrentDictionary<(string, AddressFamily), Task<NameAnswer>> _answers = new();

        internal void Say(string name, AddressFamily family, IPAddress address) =>
            Say(name, family, Task.FromResult(new NameAnswer(NameStatus.Found, [address])));

        internal void Say(string name, AddressFamily family, Task<NameAnswer> answer) => _answers[(name, family)] = answer;

        public Task<NameAnswer> ResolveAsync(string name, AddressFamily family) =>
            _answers.GetValueOrDefault((name, family)) ?? Task.FromResult(new NameAnswer(NameStatus.NotFound, []));
    }

    /// <summary>A listener whose queue is full: Linux drops further SYNs without an answer, as a black hole does.</summary>
    private sealed class BlackHole : IDisposable
    {
        private readonly Socket _listener;
        private readonly List<Socket> _fillers = [];

        private BlackHole(Socket listener) => _listener = listener;

        internal int Port => PortOf(_listener);

        internal static async Task<BlackHole> AtAsync(IPAddress address, int port)
        {
            var listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            listener.Bind(new IPEndPoint(address, port));
            listener.Listen(0);
            var hole = new BlackHole(listener);
            while (true)
            {
                var filler = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                hole._fillers.Add(filler);
                using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
                try
                {
                    await filler.ConnectAsync(new IPEndPoint(address, hole.Port), limit.Token);
                }
                catch (OperationCanceledException)
                {
                    return hole;
                }
            }
        }

        public void Dispose()
        {
            _fillers.ForEach(f => f.Dispose());
            _listener.Dispose();
        }
    }
}
