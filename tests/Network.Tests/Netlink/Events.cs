using Aggregator.Netlink;

namespace Aggregator.Network.Tests.Netlink;

internal static class Events
{
    /// <summary>How long an event of the kernel may take before a test counts it as missing; no threshold of performance.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The next event of a kind that is as wanted; others are passed over.</summary>
    internal static async Task<T> NextAsync<T>(this IAsyncEnumerator<object> events, Func<T, bool> wanted)
    {
        while (await events.MoveNextAsync())
        {
            if (events.Current is T item && wanted(item))
            {
                return item;
            }
        }

        throw new InvalidOperationException("the stream ended");
    }

    internal static async Task<T> WaitForAsync<T>(this RouteMonitor monitor, Func<T, bool> wanted)
        where T : NetlinkEvent
    {
        using var patience = new CancellationTokenSource(Patience);
        await using IAsyncEnumerator<NetlinkEvent> events = monitor.ReadAllAsync(patience.Token).GetAsyncEnumerator(CancellationToken.None);
        return await events.NextAsync(wanted);
    }
}
