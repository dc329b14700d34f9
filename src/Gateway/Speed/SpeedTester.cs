using System.Net;
using System.Net.Sockets;
using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Node;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Speed;

/// <summary>Runs speed tests, one at a time.</summary>
/// <param name="links">The latest snapshot.</param>
/// <param name="loads">Where the carrier is told to begin elsewhere.</param>
internal sealed class SpeedTester(
    NodeConnection node,
    INodeDialer nodeDialer,
    VpsConnector connector,
    IdentityKey identity,
    ICarrier carrier,
    Func<IEnumerable<Socket>> carrierSockets,
    Func<LinkSnapshot> links,
    LinkLoads loads,
    MptcpWatch mptcp,
    string stateDirectory,
    TimeProvider time,
    ILogger<SpeedTester> log)
{
    private int _running;

    /// <exception cref="SpeedException">It cannot be done; nothing was measured.</exception>
    internal async Task<SpeedResult> RunAsync(SpeedOptions options, Action<SpeedProgress> report, CancellationToken cancellationToken)
    {
        IReadOnlyList<Link> chosen = Choose(options.Links, links());
        if (Interlocked.Exchange(ref _running, 1) != 0)
        {
            throw new SpeedException(SpeedFailure.Busy, "a speed test is running already; wait for its end");
        }

        try
        {
            if (node.Node is not { } paired)
            {
                throw new SpeedException(SpeedFailure.NoVps, "no VPS is paired; pair one first");
            }

            var clock = new SpeedClock(time);
            DateTimeOffset started = time.GetLocalNow();
            await using SpeedCall call = await SpeedCall.BeginAsync(nodeDialer, paired, node.Picture.Version, clock, cancellationToken);
            log.TestBegan(string.Join(", ", chosen.Select(l => l.Name)));
            var target = new VpsTarget(paired.Hosts, paired.Port, paired.Pin);
            var parts = new SpeedParts(
                new SpeedDialer(identity, paired.Pin, time),
                async token => [.. (await connector.ResolveAsync(target, token)).Select(a => new IPEndPoint(a, paired.Port))],
                carrier,
                carrierSockets,
                address => links().Links.FirstOrDefault(l => l.Addresses.Any(a => a.Address.Equals(address)))?.Name,
                () => node.Health.Report,
                loads,
                mptcp.Take);
            report(new SpeedProgress { Phase = "checking", Links = { chosen.Select(l => l.Name) } });
            SpeedResult result = await new SpeedSession(options, chosen, parts, call, clock, report).RunAsync(started, cancellationToken);
            log.TestEnded(result.DurationS);
            if (options.Keep)
            {
                Keep(result);
            }

            return result;
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>A test that was made is told also where it cannot be kept.</summary>
    private void Keep(SpeedResult result)
    {
        try
        {
            if (SpeedHistory.Add(stateDirectory, result) is { } problem)
            {
                log.HistoryDamaged(problem);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.HistoryNotWritten(e.Message);
        }
    }

    private static IReadOnlyList<Link> Choose(IReadOnlyList<string> asked, LinkSnapshot snapshot)
    {
        if (asked.Count == 0)
        {
            Link[] all = [.. snapshot.Links.Where(l => l.Role != LinkRole.Off)];
            return all.Length > 0 ? all : throw new SpeedException(SpeedFailure.UnknownLink, "there is no link to measure; see `aggregator-gateway status`");
        }

        var chosen = new List<Link>();
        foreach (string name in asked)
        {
            Link link = snapshot.Find(name) ?? throw new SpeedException(
                SpeedFailure.UnknownLink,
                $"no link is called `{name}` ({(snapshot.Links.IsEmpty ? "there are no links" : "links: " + string.Join(", ", snapshot.Links.Select(l => l.Name)))})");
            if (!chosen.Contains(link))
            {
                chosen.Add(link);
            }
        }

        return chosen;
    }
}
