using System.Net;
using Aggregator.Gateway.Links;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Speed;

/// <summary>One test from its first probe to its result. Order: all links idle at once, then link after link, each direction, then all together.</summary>
internal sealed class SpeedSession(SpeedOptions options, IReadOnlyList<Link> links, SpeedParts parts, SpeedCall call, SpeedClock clock, Action<SpeedProgress> report)
{
    private readonly PhaseNumbers _groups = new();
    private double _endS;
    private int _left;

    internal async Task<SpeedResult> RunAsync(DateTimeOffset started, CancellationToken cancellationToken)
    {
        _endS = SpeedPlan.EndS(links.Count, options.Duration);
        _left = links.Count * Directions;
        var result = new SpeedResult { Started = started.ToString("yyyy-MM-ddTHH:mm:ssK", System.Globalization.CultureInfo.InvariantCulture) };
        IPEndPoint[] vps = await parts.ResolveAsync(cancellationToken);
        var tests = new List<LinkTest>();
        try
        {
            foreach (Link link in links)
            {
                if (SpeedPath.Of(link, vps) is { } path)
                {
                    tests.Add(new LinkTest(path, parts.Dialer, call, clock, _groups, (phase, mbps, rtt) => Report(link.Name, phase, mbps, rtt)));
                    result.Links.Add(tests[^1].Result);
                }
                else
                {
                    result.Links.Add(new SpeedLink { Name = link.Name, Interface = link.Interface, Mptcp = "unknown", Error = link.Reason ?? "it has no address of the VPS's family" });
                }
            }

            await Task.WhenAll(tests.Select(t => t.IdleAsync(cancellationToken)));
            foreach (LinkTest test in tests)
            {
                await AloneAsync(test, cancellationToken);
            }
        }
        finally
        {
            foreach (LinkTest test in tests)
            {
                await test.DisposeAsync();
            }
        }

        result.DurationS = clock.NowS;
        return result;
    }

    private int Directions => (options.Down ? 1 : 0) + (options.Up ? 1 : 0);

    private async Task AloneAsync(LinkTest test, CancellationToken cancellationToken)
    {
        if (options.Down)
        {
            await test.DownAsync(Next(), cancellationToken);
        }

        if (options.Up)
        {
            await test.UpAsync(Next(), cancellationToken);
        }
    }

    private LoadTime Next() => SpeedPlan.Next(_endS - clock.NowS, _left--, options.Duration);

    private void Report(string link, string phase, double? mbps, double? rttMs)
    {
        var progress = new SpeedProgress { Link = link, Phase = phase, DoneRatio = Math.Clamp(clock.NowS / _endS, 0, 1) };
        if (mbps is { } rate)
        {
            progress.Mbps = rate;
        }

        if (rttMs is { } rtt)
        {
            progress.RttMs = rtt;
        }

        report(progress);
    }
}
