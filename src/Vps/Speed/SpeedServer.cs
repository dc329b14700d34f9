using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Aggregator.Speed;
using Aggregator.Vps.Sessions;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Speed;

/// <summary>
/// The VPS's end of test connections (proto/speed.md): header → the run it belongs to → echo, source, sink or look, until the run or its time
/// is over. Nothing is sent to or asked of anybody else.
/// </summary>
internal sealed class SpeedServer(SpeedRuns runs, TimeProvider time, ILogger<SpeedServer> logger)
{
    /// <summary>From the connection to its last byte of the header. It comes with the gateway's first words.</summary>
    private static readonly TimeSpan HeaderTime = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LookTime = TimeSpan.FromSeconds(15);

    /// <summary>More is no round-trip measurement.</summary>
    private const int EchoesPerSecond = 100;

    /// <summary>The most subflows of a connection (see <see cref="MptcpSampler"/>), of which a look tells the number.</summary>
    private const int LooksAtSubflows = 16;

    /// <summary>Serves a connection to its end and closes it. Never throws for what a peer or the network does.</summary>
    /// <param name="pin">Whose it is; null: a flow of the carrier, which the run's id alone authenticates.</param>
    internal async Task ServeAsync(IByteStream stream, Socket socket, KeyPin? pin, CancellationToken stopping)
    {
        try
        {
            using var limit = new CancellationTokenSource(HeaderTime, time);
            SpeedHeader header;
            using (var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token))
            {
                byte[] bytes = new byte[SpeedProtocol.HeaderBytes];
                await stream.ReadExactlyAsync(bytes, either.Token);
                header = SpeedProtocol.ReadHeader(bytes);
            }

            if (header.Kind == SpeedKind.Look)
            {
                await LookAsync(stream, socket, pin, stopping);
            }
            else
            {
                await TestAsync(stream, socket, pin, header, stopping);
            }
        }
        catch (SpeedProtocolException e)
        {
            logger.ProtocolBroken(e.Message);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The gateway ended it: that is how phases end.
        }
        finally
        {
            stream.Abort();
            await stream.DisposeAsync();
        }
    }

    private async Task TestAsync(IByteStream stream, Socket socket, KeyPin? pin, SpeedHeader header, CancellationToken stopping)
    {
        if (runs.Find(header.RunId, pin) is not { } run)
        {
            await AnswerAsync(stream, socket, pin, SpeedAnswerResult.NoSuchRun, stopping);
            return;
        }

        // An MPTCP socket's own figures are those of its first subflow.
        bool plain = pin is not null && MptcpCheck.VerdictOf(socket) is MptcpVerdict.Tcp or MptcpVerdict.FellBack;
        if (run.TryEnter(header.Group, plain ? socket : null) is not { } entry)
        {
            await AnswerAsync(stream, socket, pin, SpeedAnswerResult.Busy, stopping);
            return;
        }

        try
        {
            using var limit = new CancellationTokenSource(header.Duration, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token, run.Ended);
            await AnswerAsync(stream, socket, pin, SpeedAnswerResult.GoOn, either.Token);
            switch (header.Kind)
            {
                case SpeedKind.Download:
                    if (pin is not null)
                    {
                        SpeedSocket.Prepare(socket, header.Load, header.PaceKbps);
                    }

                    await SendAsync(stream, entry.Bytes, either.Token);
                    break;
                case SpeedKind.Upload:
                    await SpeedBytes.ReceiveAsync(stream, entry.Bytes, either.Token);
                    break;
                default:
                    await EchoAsync(stream, either.Token);
                    break;
            }
        }
        finally
        {
            run.Leave(entry);
        }
    }

    /// <summary>Sends until the gateway hangs up, which only a read sees when nothing can be sent.</summary>
    private static async Task SendAsync(IByteStream stream, ByteCounter sent, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task sending = SpeedBytes.SendAsync(stream, sent, ending.Token);
        Task hangUp = stream.WaitToReadAsync(ending.Token).AsTask();
        await Task.WhenAny(sending, hangUp);
        await ending.CancelAsync();
        stream.Abort();
        await Task.WhenAll(sending, hangUp);
    }

    private async Task EchoAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[SpeedProtocol.EchoBytes];
        // Probes that waited in a queue come together: a second's worth may.
        long second = time.TimestampFrequency;
        long due = time.GetTimestamp() - second;
        while (true)
        {
            await stream.ReadExactlyAsync(buffer, cancellationToken);
            await stream.WriteAsync(buffer, cancellationToken);
            due = Math.Max(due, time.GetTimestamp() - second) + (second / EchoesPerSecond);
            if (due > time.GetTimestamp())
            {
                await Task.Delay(time.GetElapsedTime(time.GetTimestamp(), due), time, cancellationToken);
            }
        }
    }

    private async Task LookAsync(IByteStream stream, Socket socket, KeyPin? pin, CancellationToken stopping)
    {
        if (pin is not { } gateway || !runs.TryEnterLook(gateway))
        {
            await AnswerAsync(stream, socket, pin, SpeedAnswerResult.Busy, stopping);
            return;
        }

        try
        {
            using var limit = new CancellationTokenSource(LookTime, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, limit.Token);
            await AnswerAsync(stream, socket, pin, SpeedAnswerResult.GoOn, either.Token);
            byte[] buffer = new byte[SpeedProtocol.LookBytes];
            var subflows = new MptcpSubflow[LooksAtSubflows];
            while (await stream.ReadAsync(buffer.AsMemory(0, 1), either.Token) > 0)
            {
                SpeedProtocol.WriteLook(buffer, Look(socket, subflows));
                await stream.WriteAsync(buffer, either.Token);
            }
        }
        finally
        {
            runs.LeaveLook(gateway);
        }
    }

    private static SpeedLook Look(Socket socket, MptcpSubflow[] subflows)
    {
        int established = 0;
        int total = 0;
        if (MptcpSampler.TryRead(socket, subflows, out var sample) == 0)
        {
            total = sample.Total;
            established = subflows.AsSpan(0, sample.Count).ToArray().Count(s => s.Tcp.State == TcpState.Established);
        }

        var counters = MptcpCounters.Read();
        return new SpeedLook(
            MptcpCheck.VerdictOf(socket), total, established, MptcpState.IsEnabled(), counters.CapableSyns, counters.CapableFallbacks);
    }

    private static async ValueTask AnswerAsync(
        IByteStream stream, Socket socket, KeyPin? pin, SpeedAnswerResult result, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(SpeedProtocol.AnswerBytes);
        try
        {
            SpeedProtocol.WriteAnswer(buffer, new SpeedAnswer(result, MptcpCheck.VerdictOf(socket), pin is null ? null : socket.RemoteEndPoint as IPEndPoint));
            await stream.WriteAsync(buffer.AsMemory(0, SpeedProtocol.AnswerBytes), cancellationToken);
            if (result != SpeedAnswerResult.GoOn)
            {
                // The answer is not to be overtaken by our reset.
                await stream.CompleteWritesAsync(cancellationToken);
                await stream.ReadAsync(buffer.AsMemory(0, 1), cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
