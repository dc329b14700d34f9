using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Aggregator.Lab.Topology;
using Aggregator.Processes;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>What goes wrong at the target arrives at the client as what it is; ends and resets travel the whole chain.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class FlowErrorTests(ITestOutputHelper output)
{
    private const int ClosedPort = 4;
    private const int AnswerLaterPort = 5500;
    private const int AnswerFirstPort = 5501;
    private const int ResetPort = 5502;
    private const int WatchPort = 5503;
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(30);

    /// <summary>In 10.50.0.0/24, which may be dialled, and nobody is there: the router says unreachable after its ARP has failed.</summary>
    private const string NobodyThere = "10.50.0.77";

    [SkippableFact]
    public async Task Errors_of_the_target_arrive_as_such()
    {
        await using Scene scene = await Scene.StartAsync();
        // SYNs to this port get no answer: a time-out.
        await scene.Lab.Internet.ShellAsync("nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i tcp dport 4444 drop'");
        string target = LabAddresses.Internet.ToString(), targetV6 = LabAddresses.InternetV6.ToString();

        // RFC 1928 section 6: 01 general failure, 02 not allowed, 03 network unreachable, 04 host unreachable, 05 refused, 06 TTL expired.
        (string Host, int Port, byte[] Socks, string[] Http)[] cases =
        [
            (target, ClosedPort, [5], ["502"]),
            (targetV6, ClosedPort, [5], ["502"]),
            (Names.Both, ClosedPort, [5], ["502"]),
            ("nobody.test", 80, [4], ["502"]),
            (NobodyThere, 80, [4], ["502", "504"]),
            (target, 4444, [4, 6], ["504"]),
            ("127.0.0.1", 22, [2], ["403"]),
            ("::1", 22, [2], ["403"]),
            ("::ffff:127.0.0.1", 22, [2], ["403"]),
            ("10.99.0.1", 80, [2], ["403"]),
            ("192.168.1.1", 80, [2], ["403"]),
            ("169.254.169.254", 80, [2], ["403"]),
            ("fe80::1", 80, [2], ["403"]),
            ("fd00::1", 80, [2], ["403"]),
            ("224.0.0.1", 80, [2], ["403"]),
            ("0.0.0.0", 80, [2], ["403"]),
            (LabAddresses.Vps.ToString(), 7443, [2], ["403"]),
            (Names.Inside, 80, [2], ["403"]),
        ];
        var wrong = new List<string>();
        await Task.WhenAll(cases.Select(async c =>
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            using Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
            long began = Stopwatch.GetTimestamp();
            byte socks = await SocksClient.ConnectAsync(socket, c.Host, c.Port, limit.Token);
            TimeSpan took = Stopwatch.GetElapsedTime(began);
            string http = await ConnectStatusAsync(scene, c.Host, c.Port, limit.Token);
            lock (wrong)
            {
                output.WriteLine($"{c.Host} port {c.Port}: SOCKS {socks:x2} after {took.TotalMilliseconds:0} ms, HTTP {http}");
                if (!c.Socks.Contains(socks) || !c.Http.Contains(http))
                {
                    wrong.Add($"{c.Host} port {c.Port}: SOCKS {socks:x2}, HTTP {http}");
                }
            }
        }));
        wrong.ShouldBeEmpty();
    }

    [SkippableFact]
    public async Task Errors_reset_a_transparent_client()
    {
        await using Scene scene = await Scene.StartAsync();
        foreach (string target in (string[])[LabAddresses.Internet.ToString(), LabAddresses.InternetV6.ToString(), "10.99.0.1", "172.16.5.5", "fd11::1"])
        {
            using var limit = new CancellationTokenSource(Generous);
            string step = "to be accepted";
            try
            {
                using Socket socket = await DirectAsync(scene, target, ClosedPort, limit.Token);
                step = "a reset";
                var error = await Should.ThrowAsync<SocketException>(() => socket.ReceiveAsync(new byte[1], limit.Token).AsTask());
                error.SocketErrorCode.ShouldBe(SocketError.ConnectionReset, target);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"{target} waits for {step}\n{scene.Product.Gateway.Transcript()}");
            }
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Half_closes_travel_both_ways(bool transparent)
    {
        await using Scene scene = await Scene.StartAsync();
        // Answers only after the client's end: how many bytes there were.
        scene.Serve(AnswerLaterPort, async socket =>
        {
            int count = await DrainAsync(socket, default);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"{count} bytes"));
            socket.Shutdown(SocketShutdown.Send);
        });
        // Ends first, then reads on.
        var seen = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Serve(AnswerFirstPort, async socket =>
        {
            await socket.SendAsync("done"u8.ToArray());
            socket.Shutdown(SocketShutdown.Send);
            seen.SetResult(await DrainAsync(socket, default));
        });

        using var limit = new CancellationTokenSource(Generous);
        using (Socket client = await OpenAsync(scene, transparent, AnswerLaterPort, limit.Token))
        {
            await client.SendAsync(new byte[100_000], limit.Token);
            client.Shutdown(SocketShutdown.Send);
            (await TextAsync(client, limit.Token)).ShouldBe("100000 bytes");
        }

        using (Socket client = await OpenAsync(scene, transparent, AnswerFirstPort, limit.Token))
        {
            (await TextAsync(client, limit.Token)).ShouldBe("done");
            for (int i = 0; i < 10; i++)
            {
                await client.SendAsync(new byte[10_000], limit.Token);
            }

            client.Shutdown(SocketShutdown.Send);
            (await seen.Task.WaitAsync(limit.Token)).ShouldBe(100_000);
        }
    }

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reset_arrives_as_a_reset_on_the_other_side(bool transparent)
    {
        await using Scene scene = await Scene.StartAsync();
        scene.Serve(ResetPort, async socket =>
        {
            await socket.SendAsync("x"u8.ToArray());
            await socket.ReceiveAsync(new byte[1]);
            socket.LingerState = new LingerOption(true, 0);
        });
        var ended = new TaskCompletionSource<SocketError>(TaskCreationOptions.RunContinuationsAsynchronously);
        scene.Serve(WatchPort, async socket =>
        {
            await socket.SendAsync("x"u8.ToArray());
            try
            {
                await socket.ReceiveAsync(new byte[1]);
                ended.SetResult(SocketError.Success);
            }
            catch (SocketException e)
            {
                ended.SetResult(e.SocketErrorCode);
            }
        });

        using var limit = new CancellationTokenSource(Generous);
        using (Socket client = await OpenAsync(scene, transparent, ResetPort, limit.Token))
        {
            await SocksClient.ReadAsync(client, new byte[1], limit.Token);
            await client.SendAsync(new byte[1], limit.Token);
            var error = await Should.ThrowAsync<SocketException>(() => client.ReceiveAsync(new byte[1], limit.Token).AsTask());
            error.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
        }

        using (Socket client = await OpenAsync(scene, transparent, WatchPort, limit.Token))
        {
            await SocksClient.ReadAsync(client, new byte[1], limit.Token);
            client.LingerState = new LingerOption(true, 0);
        }

        (await ended.Task.WaitAsync(limit.Token)).ShouldBe(SocketError.ConnectionReset);
    }

    private static async Task<Socket> OpenAsync(Scene scene, bool transparent, int port, CancellationToken cancellationToken) => transparent
        ? await DirectAsync(scene, LabAddresses.Internet.ToString(), port, cancellationToken)
        : await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), port, cancellationToken);

    private static async Task<Socket> DirectAsync(Scene scene, string target, int port, CancellationToken cancellationToken)
    {
        var address = IPAddress.Parse(target);
        Socket socket = scene.Lab.Client.InNamespace(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, port), cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<string> ConnectStatusAsync(Scene scene, string host, int port, CancellationToken cancellationToken)
    {
        string authority = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]:{port}" : $"{host}:{port}";
        using Socket socket = SocksClient.Sockets(scene.Lab.Client, 1)[0];
        await socket.ConnectAsync(scene.Product.Http, cancellationToken);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"), cancellationToken);
        string answer = await TextAsync(socket, cancellationToken, "\r\n\r\n");
        return answer.Split(' ') is [_, var status, ..] ? status : answer;
    }

    private static async Task<string> TextAsync(Socket socket, CancellationToken cancellationToken, string? until = null)
    {
        var all = new ArrayBufferWriter<byte>();
        while (await socket.ReceiveAsync(all.GetMemory(1024), cancellationToken) is > 0 and var count)
        {
            all.Advance(count);
            if (until is not null && Encoding.ASCII.GetString(all.WrittenSpan).Contains(until, StringComparison.Ordinal))
            {
                break;
            }
        }

        return Encoding.ASCII.GetString(all.WrittenSpan);
    }

    private static async Task<int> DrainAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[16384];
        int total = 0;
        while (await socket.ReceiveAsync(buffer, cancellationToken) is > 0 and var count)
        {
            total += count;
        }

        return total;
    }
}
