using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>What became of a train of echo requests.</summary>
/// <param name="MedianMs">Round trip; null without an answer.</param>
/// <param name="JitterMs">Mean difference of neighbours' round trips (RFC 3550 section 6.4.1, without its smoothing); null without two answers.</param>
internal sealed record TrainResult(int Sent, int Answered, double? MedianMs, double? JitterMs)
{
    internal int Lost => Sent - Answered;

    internal double LossRatio => Sent == 0 ? 0 : (double)Lost / Sent;
}

/// <summary>A thousand small echo requests in eight seconds: enough to tell 1 % of loss from none, 44 kbit/s.</summary>
internal static class LossTrain
{
    internal const int Requests = 1000;

    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(8);

    /// <summary>After the last request: a satellite's round trip and a full queue before it.</summary>
    private static readonly TimeSpan LastAnswers = TimeSpan.FromSeconds(2);

    /// <returns>Null: this process may not send echo requests.</returns>
    internal static async Task<TrainResult?> RunAsync(ProbePath path, TimeProvider time, CancellationToken cancellationToken)
    {
        using var burst = EchoBurst.TryOpen(path);
        if (burst is null)
        {
            return null;
        }

        var sent = new long[Requests];
        var back = new TimeSpan?[Requests];
        int answered = 0;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var receiving = burst.ReceiveAsync(
            sequence =>
            {
                if (sequence < Requests && back[sequence] is null && sent[sequence] != 0)
                {
                    back[sequence] = time.GetElapsedTime(sent[sequence]);
                    if (++answered == Requests)
                    {
                        all.TrySetResult();
                    }
                }
            },
            ending.Token);
        int count = 0;
        long began = time.GetTimestamp();
        using var timer = new PeriodicTimer(Spacing, time);
        while (count < Requests)
        {
            // Ticks that came late are made up for, as many as are due.
            for (int due = Math.Min(Requests, 1 + (int)(time.GetElapsedTime(began) / Spacing)); count < due; count++)
            {
                sent[count] = time.GetTimestamp();
                await burst.SendAsync((ushort)count, burst.LeastBytes, cancellationToken);
            }

            if (count < Requests)
            {
                await timer.WaitForNextTickAsync(cancellationToken);
            }
        }

        await Task.WhenAny(all.Task, Task.Delay(LastAnswers, time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        await ending.CancelAsync();
        await receiving;
        return Summarise(back);
    }

    /// <summary>Pure.</summary>
    /// <param name="roundTrips">In the order of departure; null for those that did not come back.</param>
    internal static TrainResult Summarise(IReadOnlyList<TimeSpan?> roundTrips)
    {
        double[] inOrder = [.. roundTrips.Where(r => r is not null).Select(r => r!.Value.TotalMilliseconds)];
        double[] sorted = [.. inOrder.Order()];
        return new TrainResult(
            roundTrips.Count,
            inOrder.Length,
            sorted.Length == 0 ? null : sorted[sorted.Length / 2],
            inOrder.Length < 2 ? null : inOrder.Zip(inOrder.Skip(1), (a, b) => Math.Abs(a - b)).Average());
    }
}
