using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Resolver;

/// <summary>Asks name servers without the VPS: each over each WAN that leads out, one after the other at short intervals, and the first answer counts.</summary>
/// <param name="servers">Those of the configuration; empty: this host's, asked for anew each time.</param>
/// <param name="own">Where we listen ourselves: asking there would go round.</param>
internal sealed class DirectQuestion(
    ImmutableArray<IPEndPoint> servers, ImmutableArray<IPEndPoint> own, Func<LinkSnapshot> links, Func<IReadOnlyList<IPAddress>> hostServers, TimeProvider time)
{
    /// <summary>A server that answers does so in less.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(400);

    private static readonly TimeSpan MaxTime = NameProtocol.AnswerTime;

    private const int MaxAttempts = 8;

    /// <returns>Null: nobody answered, or there is nobody to ask.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal async Task<byte[]?> AskAsync(ReadOnlyMemory<byte> query, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MaxTime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var left = new Queue<Attempt>(Attempts());
        var running = new List<Task<byte[]?>>();
        byte[]? failure = null;
        try
        {
            while (left.Count > 0 || running.Count > 0)
            {
                if (left.TryDequeue(out var next))
                {
                    running.Add(DnsClient.AskAsync(next.Server, query, next.Prepare, time, stop.Token));
                }

                var pause = Task.Delay(left.Count > 0 ? Interval : MaxTime, time, stop.Token);
                var done = await Task.WhenAny([.. running, pause]);
                if (done is not Task<byte[]?> answered)
                {
                    await done;
                    continue;
                }

                running.Remove(answered);
                if (await answered is { } answer)
                {
                    if (DnsMessage.Code(answer) is DnsCode.None or DnsCode.NameError)
                    {
                        return answer;
                    }

                    failure = answer;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Out of time.
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var rest in running)
            {
                _ = rest.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }

        return failure;
    }

    private IEnumerable<Attempt> Attempts()
    {
        var now = links();
        var all = servers.IsEmpty ? hostServers().Select(s => new IPEndPoint(s, ResolvConf.Port)) : servers;
        return all.Where(s => !own.Contains(s)).SelectMany(s => AttemptsAt(s, now)).Take(MaxAttempts);
    }

    private static IEnumerable<Attempt> AttemptsAt(IPEndPoint server, LinkSnapshot links)
    {
        // One of this host or of the LAN is no WAN's matter.
        if (IPAddress.IsLoopback(server.Address) || links.LocalNetworks.Any(n => n.Contains(server.Address)))
        {
            return [new Attempt(server, null)];
        }

        return links.WaysOut(server.AddressFamily).Select(l => new Attempt(server, s => WanSocket.Bind(s, l.Interface, l.Address(server.AddressFamily)!)));
    }

    private readonly record struct Attempt(IPEndPoint Server, Action<Socket>? Prepare);
}
