using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;
using Aggregator.Processes;
using Shouldly;
using Xunit;

namespace Aggregator.Network.Tests.Packets;

/// <summary>One lab in whole-IP mode for the facts of a class; made when the first asks for it, so that it can be skipped.</summary>
public sealed class PacketLab : IAsyncLifetime
{
    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    private Scene? _scene;
    private string? _mac;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_scene is not null)
        {
            await _scene.DisposeAsync();
        }
    }

    internal async Task<Scene> SceneAsync()
    {
        if (_scene is null)
        {
            _scene = await Scene.StartAsync(new ProductSettings { Carrier = "trunk", TransparentText = "tunnel" });
            await _scene.Product.WaitForStatusAsync(
                s => s.GetProperty("packets") is { ValueKind: JsonValueKind.Object } p && p.GetProperty("state").GetString() == "on", "packets", Generous);
        }

        return _scene;
    }

    /// <summary>Puts packets onto the LAN as they are.</summary>
    internal async Task SendRawAsync(params IEnumerable<byte[]> packets)
    {
        Scene scene = await SceneAsync();
        _mac ??= (await scene.Lab.Gateway.OutputAsync("cat", "/sys/class/net/lan0/address")).Trim();
        string script = Path.Combine(AppContext.BaseDirectory, "Packets", "raw_send.py");
        string lines = string.Concat(packets.Select(p => Convert.ToHexString(p) + "\n"));
        (await Tool.RunAsync("ip", ["netns", "exec", scene.Lab.Client.Name, "python3", script, "eth0", _mac], lines)).OutputOrThrow();
    }

    /// <summary>tcpdump on all interfaces of a host; it looks already.</summary>
    internal static async Task<LabProcess> CaptureAsync(LabHost host, string filter)
    {
        LabProcess capture = host.Start("tcpdump", ["-i", "any", "--immediate-mode", "-l", "-n", "-v", .. filter.Split(' ')]);
        await capture.WaitForLineAsync("listening on");
        return capture;
    }

    /// <summary>What the VPS counts of a gateway's packets.</summary>
    internal static async Task<JsonElement> AtVpsAsync(Scene scene, string gateway)
    {
        using JsonDocument vps = JsonDocument.Parse((await scene.Product.VpsCommandAsync("status", "--json")).OutputOrThrow());
        return vps.RootElement.GetProperty("gateways").EnumerateArray().First(g => g.GetProperty("name").GetString() == gateway).GetProperty("packets").Clone();
    }

    /// <summary>Waits until the VPS has counted so many.</summary>
    internal static async Task<JsonElement> WaitForCountAsync(Scene scene, string gateway, string count, long atLeast)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            JsonElement packets = await AtVpsAsync(scene, gateway);
            if (packets.GetProperty(count).GetInt64() >= atLeast)
            {
                return packets;
            }

            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(Generous, packets.ToString());
            await Task.Delay(200);
        }
    }

    /// <summary>Answers every datagram with itself and tells of each, until it is disposed of.</summary>
    internal static Socket Echo(LabHost host, IPAddress address, int port, Action<byte[]> came)
    {
        Socket socket = host.InNamespace(() => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 });
        socket.Bind(new IPEndPoint(address, port));
        _ = AnswerAsync(socket, came);
        return socket;
    }

    private static async Task AnswerAsync(Socket socket, Action<byte[]> came)
    {
        byte[] buffer = new byte[65_536];
        EndPoint any = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        try
        {
            while (true)
            {
                var from = await socket.ReceiveFromAsync(buffer, any);
                came(buffer[..from.ReceivedBytes]);
                await socket.SendToAsync(buffer.AsMemory(0, from.ReceivedBytes), from.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }
}
