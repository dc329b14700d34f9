using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Aggregator.Lab.Product;
using Aggregator.Lab.Topology;
using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace Aggregator.Network.Tests.Scenarios;

/// <summary>One subflow of many is killed on a line that lives (`ss -K`): its connection has another one soon, and nobody else's is touched.</summary>
[Collection(ScenarioCollection.Name)]
public sealed partial class LostSubflowTests(ITestOutputHelper output)
{
    private const int EchoPort = 5432;

    /// <summary>Handshakes, probes and the control session are less.</summary>
    private const long Payload = 400_000;

    private static readonly TimeSpan Generous = TimeSpan.FromSeconds(40);

    [SkippableTheory]
    [InlineData("mptcp")]
    [InlineData("trunk")]
    public async Task A_subflow_killed_on_a_living_line_is_there_again_and_others_are_not_touched(string carrier)
    {
        await using Scene scene = await Scene.StartAsync(new ProductSettings { Carrier = carrier });
        scene.Serve(EchoPort, EchoAsync);
        using Socket first = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), EchoPort);
        using Socket second = await SocksClient.ConnectAsync(scene.Lab.Client, LabAddresses.Internet.ToString(), EchoPort);
        LabWan lte = scene.Lab.Wans["lte"];
        foreach (Socket flow in (Socket[])[first, second])
        {
            await CarryAsync(flow, scene.Lab.Wans["fibre"], lte);
        }

        for (int round = 0; round < 2; round++)
        {
            Subflow[] before = [.. (await SubflowsAsync(scene.Lab.Gateway)).Where(s => s.BytesSent > Payload)];
            output.WriteLine(string.Join('\n', before.AsEnumerable()));
            Subflow lost = before.First(s => s.Address == lte.Address!.ToString());
            await scene.Lab.Gateway.OutputAsync("ss", "-K", "src", lost.Address, "sport", "=", $":{lost.Port}", "dport", "=", ":7443");
            long killed = Stopwatch.GetTimestamp();
            (await SubflowsAsync(scene.Lab.Gateway)).ShouldNotContain(s => s.Address == lost.Address && s.Port == lost.Port);

            // Whichever of the two it was: each has to have the line again.
            foreach (Socket flow in (Socket[])[first, second])
            {
                await CarryAsync(flow, lte);
            }

            output.WriteLine($"both flows have carried on the line again {Stopwatch.GetElapsedTime(killed).TotalMilliseconds:0} ms after the kill");
            Subflow[] after = await SubflowsAsync(scene.Lab.Gateway);
            foreach (Subflow kept in before.Where(b => b != lost))
            {
                after.ShouldContain(a => a.Address == kept.Address && a.Port == kept.Port && a.BytesSent >= kept.BytesSent, $"{kept} was not killed");
            }
        }
    }

    /// <summary>Sends and gets back on one flow until each of these lines has carried payload both ways.</summary>
    private static async Task CarryAsync(Socket flow, params LabWan[] wans)
    {
        (LabWan Wan, long Down, long Up)[] before = [.. wans.Select(w => (w, w.Down.Counters.BytesDelivered, w.Up.Counters.BytesDelivered))];
        using var limit = new CancellationTokenSource(Generous);
        byte[] data = new byte[64 * 1024], back = new byte[data.Length];
        while (before.Any(b => b.Wan.Down.Counters.BytesDelivered - b.Down < Payload || b.Wan.Up.Counters.BytesDelivered - b.Up < Payload))
        {
            Random.Shared.NextBytes(data);
            // Several at once, or all is on one line by the time that it is acknowledged.
            Task reading = ReadAsync();
            for (int i = 0; i < 8; i++)
            {
                for (int sent = 0; sent < data.Length;)
                {
                    sent += await flow.SendAsync(data.AsMemory(sent), limit.Token);
                }
            }

            await reading;
        }

        async Task ReadAsync()
        {
            for (int i = 0; i < 8; i++)
            {
                await SocksClient.ReadAsync(flow, back, limit.Token);
                back.AsSpan().SequenceEqual(data).ShouldBeTrue("other bytes came back");
            }
        }
    }

    private static async Task EchoAsync(Socket socket)
    {
        byte[] buffer = new byte[64 * 1024];
        int count;
        while ((count = await socket.ReceiveAsync(buffer)) > 0)
        {
            for (int sent = 0; sent < count;)
            {
                sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent));
            }
        }
    }

    /// <summary>What the gateway has to the VPS at this moment.</summary>
    private static async Task<Subflow[]> SubflowsAsync(LabHost gateway)
    {
        string shown = await gateway.OutputAsync("ss", "-HtniO", "state", "established", "dport", "=", ":7443");
        return [.. shown.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => (Place: Local().Match(line), Sent: BytesSent().Match(line)))
            .Where(m => m.Place.Success)
            .Select(m => new Subflow(
                m.Place.Groups[1].Value,
                int.Parse(m.Place.Groups[2].Value, CultureInfo.InvariantCulture),
                m.Sent.Success ? long.Parse(m.Sent.Groups[1].Value, CultureInfo.InvariantCulture) : 0))];
    }

    [GeneratedRegex(@"^\s*\d+\s+\d+\s+([0-9.]+)(?:%\S+)?:(\d+)\s")]
    private static partial Regex Local();

    [GeneratedRegex(@"\bbytes_sent:(\d+)")]
    private static partial Regex BytesSent();

    private sealed record Subflow(string Address, int Port, long BytesSent);
}
