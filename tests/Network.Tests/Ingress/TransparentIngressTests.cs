using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Aggregator.Flows;
using Aggregator.Gateway.Ingress;
using Aggregator.Gateway.Tests.Ingress;
using Aggregator.Network.Tests.Netlink;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Ingress;

/// <summary>
/// client ── gateway (TPROXY, the listeners) ── server, each a namespace, and the kernel's real rules between them. The client knows nothing
/// of a proxy: it connects to the server's address.
/// </summary>
public sealed class TransparentIngressTests
{
    private const string Server4 = "198.51.100.10";
    private const string Server6 = "2001:db8:51::10";

    [SkippableTheory]
    [InlineData(Server4)]
    [InlineData(Server6)]
    public async Task Curl_reaches_the_address_it_meant(string address)
    {
        await using Rig rig = await Rig.StartAsync();
        byte[] body = RandomNumberGenerator.GetBytes(3_000_000);
        await using TestServer server = rig.Server.Run(() => TestServer.Http(body, IPAddress.Parse(address)));
        string directory = Directory.CreateTempSubdirectory("aggregator-test-").FullName;
        try
        {
            string output = Path.Combine(directory, "body");
            ToolResult curl = await Tool.RunAsync(
                "ip", ["netns", "exec", rig.Client.Name, "curl", "-sS", "--max-time", "30", "-o", output, $"http://{server.EndPoint}/"]);
            curl.ExitCode.ShouldBe(0, curl.Error);
            (await File.ReadAllBytesAsync(output)).SequenceEqual(body).ShouldBeTrue();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
        rig.Carrier.Opens.Single().Target.ShouldBe(new FlowTarget(IPAddress.Parse(address), (ushort)server.EndPoint.Port));
        rig.Flows.Total.ShouldBe(1);
    }

    [SkippableTheory]
    [InlineData(Server4)]
    [InlineData(Server6)]
    public async Task A_server_may_speak_first(string address)
    {
        await using Rig rig = await Rig.StartAsync();
        await using TestServer server = rig.Server.Run(() => TestServer.Start(
            async socket =>
            {
                await TestServer.SendAsync(socket, "220 hello\r\n"u8.ToArray());
                await TestServer.EchoAsync(socket);
            },
            IPAddress.Parse(address)));
        using Socket client = await rig.ConnectAsync(server.EndPoint);
        Encoding.ASCII.GetString(await client.ReadAsync(11)).ShouldBe("220 hello\r\n");
        await client.SendTextAsync("QUIT");
        client.Shutdown(SocketShutdown.Send);
        Encoding.ASCII.GetString(await client.ReadToEndAsync()).ShouldBe("QUIT");
    }

    [SkippableTheory]
    [InlineData(Server4)]
    [InlineData(Server6)]
    public async Task A_refused_open_is_a_reset(string address)
    {
        await using Rig rig = await Rig.StartAsync();
        // Nobody listens there.
        IPEndPoint closed = new(IPAddress.Parse(address), 9);
        using Socket client = rig.Client.Run(() => new Socket(closed.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        (await client.IsResetAsync(closed)).ShouldBeTrue();
        await IngressRig.Eventually(() => rig.Flows is { Failed: 1, Active: 0 });
    }

    /// <summary>The client's bytes leave before the answer is there.</summary>
    [SkippableFact]
    public async Task Bytes_go_up_without_waiting_for_the_answer()
    {
        var answer = new TaskCompletionSource();
        await using Rig rig = await Rig.StartAsync(new WaitingCarrier(answer.Task));
        var carrier = (WaitingCarrier)rig.Any;
        using Socket client = await rig.ConnectAsync(new IPEndPoint(IPAddress.Parse(Server4), 80));
        await client.SendTextAsync("first");
        using var patience = new CancellationTokenSource(IngressRig.Patience);
        (await carrier.ReadUpstreamAsync(5, patience.Token)).ShouldBe("first"u8.ToArray());
        answer.Task.IsCompleted.ShouldBeFalse();
        answer.SetResult();
        (await client.IsResetAsync()).ShouldBeTrue();
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_to_the_listener_itself_is_refused(bool v6)
    {
        await using Rig rig = await Rig.StartAsync();
        IPEndPoint listener = v6 ? rig.Listener6 : rig.Listener4;
        using Socket client = rig.Gateway.Run(() => new Socket(listener.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        (await client.IsResetAsync(listener)).ShouldBeTrue();
        rig.Flows.Total.ShouldBe(0);
    }

    private sealed class Rig : IAsyncDisposable
    {
        private readonly List<IAsyncDisposable> _parts = [];

        internal TestNamespace Client { get; private set; } = null!;

        internal TestNamespace Gateway { get; private set; } = null!;

        internal TestNamespace Server { get; private set; } = null!;

        internal Gateway.Carriers.ICarrier Any { get; private set; } = null!;

        internal DirectCarrier Carrier => (DirectCarrier)Any;

        internal FlowRegistry Flows { get; private set; } = null!;

        internal IPEndPoint Listener4 { get; private set; } = null!;

        internal IPEndPoint Listener6 { get; private set; } = null!;

        internal static async Task<Rig> StartAsync(Gateway.Carriers.ICarrier? carrier = null)
        {
            var rig = new Rig();
            try
            {
                await rig.BuildAsync(carrier);
                return rig;
            }
            catch
            {
                await rig.DisposeAsync();
                throw;
            }
        }

        internal async Task<Socket> ConnectAsync(IPEndPoint remote)
        {
            Socket socket = Client.Run(() => new Socket(remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            await socket.ConnectAsync(remote);
            return socket;
        }

        public async ValueTask DisposeAsync()
        {
            for (int i = _parts.Count - 1; i >= 0; i--)
            {
                await _parts[i].DisposeAsync();
            }
        }

        private async Task BuildAsync(Gateway.Carriers.ICarrier? carrier)
        {
            _parts.Add(Client = await TestNamespace.CreateAsync());
            _parts.Add(Gateway = await TestNamespace.CreateAsync());
            _parts.Add(Server = await TestNamespace.CreateAsync());
            await Client.ConnectAsync(Gateway, "lan0", ["192.168.77.2/24", "fd77::2/64"], ["192.168.77.1/24", "fd77::1/64"]);
            await Gateway.ConnectAsync(Server, "out0", ["198.51.100.1/24", "2001:db8:51::1/64"], [$"{Server4}/24", $"{Server6}/64"]);
            await Client.IpAsync("route add default via 192.168.77.1");
            await Client.IpAsync("-6 route add default via fd77::1");

            Any = carrier ?? new DirectCarrier
            {
                Make = family => Gateway.Run(() => new Socket(family, SocketType.Stream, ProtocolType.Tcp)),
            };
            IngressContext context = IngressRig.Context(Any);
            _parts.Add(Flows = context.Flows);
            Listener4 = await ListenAsync(IPAddress.Loopback, context);
            Listener6 = await ListenAsync(IPAddress.IPv6Loopback, context);
            await InterceptAsync();
        }

        private async Task<IPEndPoint> ListenAsync(IPAddress address, IngressContext context)
        {
            var ingress = new TransparentIngress(new IPEndPoint(address, 0), context);
            // The socket is made before the first wait, so on the namespace's thread.
            StartResult started = await Gateway.Run(() => ingress.StartAsync(CancellationToken.None).AsTask());
            started.Error.ShouldBeNull();
            _parts.Add(ingress);
            return ingress.LocalEndPoint!;
        }

        private async Task InterceptAsync()
        {
            string rules = $$"""
                table inet test {
                    chain prerouting {
                        type filter hook prerouting priority mangle; policy accept;
                        iifname != "lan0" return
                        fib daddr type local return
                        meta nfproto ipv4 meta l4proto tcp tproxy ip to {{Listener4}} meta mark set 0x1 accept
                        meta nfproto ipv6 meta l4proto tcp tproxy ip6 to {{Listener6}} meta mark set 0x1 accept
                    }
                }
                """;
            (await Tool.RunAsync("ip", ["netns", "exec", Gateway.Name, "nft", "-f", "-"], rules)).OutputOrThrow();
            foreach (string family in new[] { "-4", "-6" })
            {
                await Gateway.IpAsync($"{family} rule add fwmark 1 table 100");
                await Gateway.IpAsync($"{family} route add local default dev lo table 100");
            }
            Gateway.SetSysctl("net.ipv4.ip_forward", "1");
            Gateway.SetSysctl("net.ipv6.conf.all.forwarding", "1");
        }
    }
}
