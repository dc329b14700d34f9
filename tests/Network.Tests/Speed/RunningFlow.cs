using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Aggregator.Lab.Topology;
using Aggregator.Network.Tests.Scenarios;

namespace Aggregator.Network.Tests.Speed;

/// <summary>A download through the gateway that takes what it gets, from before a test to after it, with what came when.</summary>
internal sealed class RunningFlow : IAsyncDisposable
{
    private const int Port = 5600;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _ending = new();
    private readonly List<(long At, long Bytes)> _came = [];
    private readonly Socket _socket;
    private readonly Task _work;

    private RunningFlow(Socket socket)
    {
        _socket = socket;
        _work = Task.Run(ReceiveAsync);
    }

    internal static RunningFlow Start(Scene scene)
    {
        scene.Serve(Port, SendAsync);
        return new RunningFlow(SocksClient.Sockets(scene.Lab.Client, 1)[0]);
    }

    /// <summary>Longest time in which nothing came, since then.</summary>
    internal TimeSpan LongestSilence(long since)
    {
        long[] times = [since, .. Since(since).Select(c => c.At), Stopwatch.GetTimestamp()];
        return times.Zip(times.Skip(1)).Max(p => Stopwatch.GetElapsedTime(p.First, p.Second));
    }

    /// <summary>Its rate before, and in each phase since.</summary>
    internal string Told(long since, PhaseLog phases)
    {
        (long At, long Bytes)[] all = Since(long.MinValue);
        (long At, long Bytes)[] before = [.. all.Where(c => c.At < since && Stopwatch.GetElapsedTime(c.At, since) < 3 * Second)];
        var lines = new List<string> { string.Create(CultureInfo.InvariantCulture, $"a flow beside it: {before.Sum(c => c.Bytes) * 8 / 3e6:0.0} Mbit/s in the 3 s before; longest silence {LongestSilence(since).TotalMilliseconds:0} ms") };
        foreach (var phase in all.Where(c => c.At >= since).GroupBy(c => phases.Between(c.At, c.At)))
        {
            double seconds = Math.Max(0.1, Stopwatch.GetElapsedTime(phase.Min(c => c.At), phase.Max(c => c.At)).TotalSeconds);
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"  {phase.Key}: {phase.Sum(c => c.Bytes) * 8 / 1e6 / seconds:0.0} Mbit/s over {seconds:0.0} s"));
        }

        return string.Join('\n', lines);
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _socket.Dispose();
        await _work;
        _ending.Dispose();
    }

    private (long At, long Bytes)[] Since(long since)
    {
        lock (_came)
        {
            return [.. _came.Where(c => c.At >= since)];
        }
    }

    private async Task ReceiveAsync()
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            await SocksClient.ConnectAsync(_socket, LabAddresses.Internet.ToString(), Port, _ending.Token);
            while (true)
            {
                int count = await _socket.ReceiveAsync(buffer, SocketFlags.None, _ending.Token);
                if (count == 0)
                {
                    return;
                }

                lock (_came)
                {
                    _came.Add((Stopwatch.GetTimestamp(), count));
                }
            }
        }
        catch (Exception e) when (_ending.IsCancellationRequested && e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static async Task SendAsync(Socket socket)
    {
        byte[] bytes = new byte[64 * 1024];
        try
        {
            while (true)
            {
                await socket.SendAsync(bytes, SocketFlags.None);
            }
        }
        catch (SocketException)
        {
            // It has read enough.
        }
    }
}
