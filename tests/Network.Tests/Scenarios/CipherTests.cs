using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>`cipher: none` where the VPS allows it, and where it does not.</summary>
[Collection(ScenarioCollection.Name)]
public sealed class CipherTests(ITestOutputHelper output)
{
    private const string Secret = "the-words-that-a-listener-would-see";
    private const string Marker = "that-was-all";
    private const int TalkPort = 5600;

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_cipher_only_where_the_vps_allows_it(bool allowed)
    {
        ProductSettings settings = allowed ? new ProductSettings { Encrypt = false } : new ProductSettings { GatewayMore = "cipher: none\n" };
        await using Scene scene = await Scene.StartAsync(settings);
        await scene.Curl.DownloadAsync(WayIn.SocksName, 1, 500_000);
        await scene.Curl.UploadAsync(WayIn.TransparentV6, 1, 500_000);

        bool readable = await IsReadableOnTheWayAsync(scene);
        readable.ShouldBe(allowed);
        JsonElement status = await scene.Product.StatusAsync();
        output.WriteLine(status.GetProperty("warnings").ToString());
        status.GetProperty("warnings").EnumerateArray().Any(w => w.GetProperty("code").GetString() == "cipher-refused").ShouldBe(!allowed);
    }

    /// <summary>Whether a listener at the ISPs sees what a client says.</summary>
    private static async Task<bool> IsReadableOnTheWayAsync(Scene scene)
    {
        LabProcess[] listeners = [.. scene.Lab.Wans.Select(w => w.Isp.Start("tcpdump", "-i", NetworkLab.IspWanInterface, "--immediate-mode", "-l", "-n", "-A", "-s", "0", "tcp"))];
        foreach (LabProcess listener in listeners)
        {
            await listener.WaitForLineAsync("listening on");
        }

        scene.Serve(TalkPort, TargetServer.EchoAsync);
        using var flow = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), TalkPort);
        byte[] words = Encoding.ASCII.GetBytes(Secret);
        await flow.SendAsync(words);
        await SocksClient.ReadAsync(flow, new byte[words.Length], default);

        // Something readable over each WAN: where a listener has printed that, it has printed all that came before.
        for (int i = 0; i < listeners.Length; i++)
        {
            using Socket direct = scene.Lab.Gateway.InNamespace(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            direct.Bind(new IPEndPoint(scene.Lab.Wans[i].Address!, 0));
            await direct.ConnectAsync(new IPEndPoint(LabAddresses.Internet, TalkPort));
            await direct.SendAsync(Encoding.ASCII.GetBytes(Marker));
            await listeners[i].WaitForLineAsync(Marker);
        }

        return listeners.Any(l => l.Output.Any(line => line.Contains(Secret, StringComparison.Ordinal)));
    }
}
