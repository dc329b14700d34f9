using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Ingress;
using Aggregator.Gateway.Tests.Ingress;
using Aggregator.Identity;
using Aggregator.Vps.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Ingress;

/// <summary>client → SOCKS5 or HTTP → carrier mptcp → the VPS's own listener, sessions and egress → target; all of it ours but the target, on loopback.</summary>
public sealed class WholeWayTests
{
    [Fact]
    public async Task Two_thousand_clients_at_once_are_all_served()
    {
        await using TestServer server = TestServer.Echo();
        await using Way way = await Way.StartAsync();
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
        {
            using Socket client = await way.ConnectAsync(server.EndPoint);
            await client.SendTextAsync($"flow {i}");
            client.Shutdown(SocketShutdown.Send);
            return Encoding.ASCII.GetString(await client.ReadToEndAsync());
        })));
        answers.ShouldBe(Enumerable.Range(0, 2000).Select(i => $"flow {i}"));
        await IngressRig.Eventually(() => way.Context.Flows.Active == 0);
        (way.Context.Flows.Total, way.Context.Flows.Failed).ShouldBe((2000, 0));
    }

    [Fact]
    public async Task Idle_flows_hold_no_buffer_on_either_side()
    {
        await using TestServer server = TestServer.Echo();
        await using Way way = await Way.StartAsync();
        var clients = new List<Socket>();
        try
        {
            for (int i = 0; i < 100; i++)
            {
                clients.Add(await way.ConnectAsync(server.EndPoint));
                await clients[i].SendTextAsync("x");
                await clients[i].ReadAsync(1);
            }
            await IngressRig.Eventually(() => way.Context.Budget.InUseBytes == 0 && way.Vps.Budget.InUseBytes == 0);
            way.Context.Flows.Active.ShouldBe(100);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [Fact]
    public async Task The_VPS_s_answers_reach_the_client_as_reply_codes()
    {
        await using Way way = await Way.StartAsync();
        // Bound and not listening: nobody else can take the port meanwhile.
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        (await way.ReplyAsync((IPEndPoint)closed.LocalEndPoint!)).ShouldBe(SocksReply.ConnectionRefused);
        (await way.ReplyAsync(IPEndPoint.Parse("10.0.0.1:80"))).ShouldBe(SocksReply.NotAllowed);
    }

    [Fact]
    public async Task A_reset_of_the_target_reaches_the_client_as_one()
    {
        await using TestServer server = TestServer.Start(async socket =>
        {
            await socket.ReceiveAsync(new byte[1]);
            socket.LingerState = new LingerOption(true, 0);
        });
        await using Way way = await Way.StartAsync();
        using Socket client = await way.ConnectAsync(server.EndPoint);
        await client.SendTextAsync("x");
        (await client.IsResetAsync()).ShouldBeTrue();
    }

    /// <summary>A gateway that the VPS does not know gets no flow through, and its clients are told soon.</summary>
    [Fact]
    public async Task A_gateway_that_is_not_paired_carries_nothing()
    {
        await using TestServer server = TestServer.Echo();
        await using Way way = await Way.StartAsync(paired: false);
        (await way.ReplyAsync(server.EndPoint)).ShouldBe(SocksReply.NetworkUnreachable);
    }

    private sealed class Way : IAsyncDisposable
    {
        private readonly IdentityKey _identity;
        private readonly SocksIngress _socks;

        private Way(VpsUnderTest vps, IdentityKey identity)
        {
            Vps = vps;
            _identity = identity;
            var wans = new UnboundWanSelector();
            var node = new Connected();
            var connector = new VpsConnector(wans, CarrierLimits.Default, TimeProvider.System, NullLogger.Instance);
            var target = new VpsTarget(["127.0.0.1"], (ushort)vps.EndPoint.Port, vps.Identity.Pin);
            var dialer = new LaneDialer(connector, () => target, identity, node, encrypt: true, TimeProvider.System);
            Context = IngressRig.Context(new MptcpCarrier(dialer, wans, node, CarrierLimits.Default, TimeProvider.System, NullLogger.Instance));
            _socks = new SocksIngress(new IPEndPoint(IPAddress.Loopback, 0), [], Context);
        }

        internal VpsUnderTest Vps { get; }

        internal IngressContext Context { get; }

        internal static async Task<Way> StartAsync(bool paired = true)
        {
            VpsUnderTest vps = await VpsUnderTest.StartAsync();
            var way = new Way(vps, paired ? vps.Pair() : IdentityKey.CreateEphemeral());
            (await way._socks.StartAsync(CancellationToken.None)).Error.ShouldBeNull();
            return way;
        }

        /// <summary>Through SOCKS5 up to the good answer.</summary>
        internal async Task<Socket> ConnectAsync(IPEndPoint target)
        {
            (Socket client, SocksReply reply) = await AskAsync(target);
            reply.ShouldBe(SocksReply.Succeeded);
            return client;
        }

        internal async Task<SocksReply> ReplyAsync(IPEndPoint target)
        {
            (Socket client, SocksReply reply) = await AskAsync(target);
            client.Dispose();
            return reply;
        }

        public async ValueTask DisposeAsync()
        {
            await _socks.DisposeAsync();
            await Context.Flows.DisposeAsync();
            await Context.Carrier.DisposeAsync();
            await Vps.DisposeAsync();
            _identity.Dispose();
        }

        private async Task<(Socket Client, SocksReply Reply)> AskAsync(IPEndPoint target)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(_socks.LocalEndPoint!);
            await client.SendHexAsync("050100" + "05010001" + Convert.ToHexString(target.Address.GetAddressBytes()) + $"{target.Port:X4}");
            byte[] answer = await client.ReadAsync(2 + 10);
            return (client, (SocksReply)answer[3]);
        }

        private sealed class Connected : INodeState
        {
            public NodeReachability Reachability => NodeReachability.Connected;

            public event Action? Changed
            {
                add { }
                remove { }
            }
        }
    }
}
