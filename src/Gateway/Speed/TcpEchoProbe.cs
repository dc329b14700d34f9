using System.Buffers.Binary;
using Aggregator.Relay;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>Small echoes over a test connection: the round trip as data has it, also where nobody answers ICMP.</summary>
internal static class TcpEchoProbe
{
    /// <summary>Slower than the answers of a satellite come, they are under way several at once.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <summary>Until cancelled or the connection broke. The stream is open (its header answered).</summary>
    internal static async Task RunAsync(SpeedStream stream, ProbeLog log, SpeedClock clock, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task receiving = ReceiveAsync(stream, log, clock, ending.Token);
        try
        {
            byte[] probe = new byte[SpeedProtocol.EchoBytes];
            using var timer = new PeriodicTimer(Interval, clock.Time);
            do
            {
                BinaryPrimitives.WriteInt32BigEndian(probe, log.Send(clock.NowS));
                BinaryPrimitives.WriteUInt32BigEndian(probe.AsSpan(4), stream.Tcp().Retransmits);
                await stream.Bytes.WriteAsync(probe, ending.Token);
            }
            while (await timer.WaitForNextTickAsync(ending.Token));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
        finally
        {
            await ending.CancelAsync();
            await receiving;
        }
    }

    private static async Task ReceiveAsync(SpeedStream stream, ProbeLog log, SpeedClock clock, CancellationToken cancellationToken)
    {
        byte[] answer = new byte[SpeedProtocol.EchoBytes];
        try
        {
            while (true)
            {
                await stream.Bytes.ReadExactlyAsync(answer, cancellationToken);
                bool spoilt = BinaryPrimitives.ReadUInt32BigEndian(answer.AsSpan(4)) != stream.Tcp().Retransmits;
                log.Answer(BinaryPrimitives.ReadInt32BigEndian(answer), clock.NowS, spoilt);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
        }
    }
}
