using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>The largest IP packet that gets to the VPS over one WAN unfragmented, found by echo requests of several sizes at a time.</summary>
internal static class MtuProbe
{
    /// <summary>The least that IPv6 demands (RFC 8200 section 5). A line with less does not carry IPv6, and is searched down to <see cref="LeastV4"/>.</summary>
    internal const int LeastV6 = 1280;

    /// <summary>What every IPv4 host must take (RFC 791).</summary>
    internal const int LeastV4 = 576;

    /// <summary>Sizes in one round: with this many, three rounds find the byte among 1,000.</summary>
    private const int SizesPerRound = 10;

    /// <summary>Each size is sent so often: on a line that loses 5 % all of them are lost once in 8,000 rounds.</summary>
    private const int Tries = 3;

    private static readonly TimeSpan RoundPatience = TimeSpan.FromMilliseconds(1500);

    /// <returns>Zero: the VPS answers no echo of any size. Null: this process may not send echo requests.</returns>
    internal static async Task<int?> RunAsync(ProbePath path, int interfaceMtu, TimeProvider time, CancellationToken cancellationToken)
    {
        using var burst = EchoBurst.TryOpen(path);
        if (burst is null)
        {
            return null;
        }

        bool v4 = path.Source.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;
        return await SearchAsync(v4 ? LeastV4 : LeastV6, interfaceMtu, (sizes, token) => RoundAsync(burst, sizes, time, token), cancellationToken);
    }

    /// <summary>The search itself, which knows no network.</summary>
    /// <param name="least">Tried when the greatest does not get through.</param>
    /// <param name="greatest">Tried first: the interface's MTU.</param>
    /// <param name="round">Which of some sizes, rising, get through: the greatest; 0 for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal static async Task<int> SearchAsync(
        int least, int greatest, Func<int[], CancellationToken, Task<int>> round, CancellationToken cancellationToken)
    {
        if (greatest <= least)
        {
            return await round([greatest], cancellationToken);
        }

        int works = await round([least, greatest], cancellationToken);
        if (works == 0 || works == greatest)
        {
            return works;
        }

        int fails = greatest;
        while (fails - works > 1)
        {
            int[] sizes = Between(works, fails, SizesPerRound);
            int best = await round(sizes, cancellationToken);
            fails = sizes.FirstOrDefault(s => s > best, fails);
            works = Math.Max(works, best);
        }

        return works;
    }

    /// <summary>At most <paramref name="count"/> different sizes strictly between the two, rising, evenly apart.</summary>
    internal static int[] Between(int works, int fails, int count)
    {
        int gap = fails - works;
        return [.. Enumerable.Range(1, Math.Min(count, gap - 1)).Select(i => works + (int)((long)gap * i / (Math.Min(count, gap - 1) + 1))).Where(s => s > works).Distinct()];
    }

    private static async Task<int> RoundAsync(EchoBurst burst, int[] sizes, TimeProvider time, CancellationToken cancellationToken)
    {
        // The sequence number is the size: a late answer of an earlier round tells no lie.
        int best = 0;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var greatest = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var receiving = burst.ReceiveAsync(
            sequence =>
            {
                best = Math.Max(best, sequence <= sizes[^1] ? sequence : 0);
                if (best == sizes[^1])
                {
                    greatest.TrySetResult();
                }
            },
            ending.Token);
        for (int attempt = 0; attempt < Tries && !greatest.Task.IsCompleted; attempt++)
        {
            foreach (int size in sizes)
            {
                await burst.SendAsync((ushort)size, size, cancellationToken);
            }

            await Task.WhenAny(greatest.Task, Task.Delay(RoundPatience / Tries, time, cancellationToken));
        }

        if (!greatest.Task.IsCompleted)
        {
            await Task.WhenAny(greatest.Task, Task.Delay(RoundPatience / Tries, time, cancellationToken));
        }

        cancellationToken.ThrowIfCancellationRequested();
        await ending.CancelAsync();
        await receiving;
        return best;
    }
}
