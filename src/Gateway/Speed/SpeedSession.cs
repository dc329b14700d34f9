using System.Net;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Links;
using Aggregator.Protocol.V1;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>
/// One test from its first probe to its result. Order: all links idle at once and their paths verified, then link after link, each direction, then all
/// together over the carrier and over one kernel MPTCP connection.
/// </summary>
internal sealed class SpeedSession(SpeedOptions options, IReadOnlyList<Link> links, SpeedParts parts, SpeedCall call, SpeedClock clock, Action<SpeedProgress> report)
{
    /// <summary>A verification waits for three seconds' worth of repeated SYNs at the most, and for joins after them.</summary>
    private static readonly TimeSpan VerifyTime = TimeSpan.FromSeconds(12);

    private readonly PhaseNumbers _groups = new();
    private readonly List<LinkTest> _tests = [];
    private readonly List<LoadSigns> _signs = [];
    private double _endS;
    private int _left;
    private int _all;
    private int _farLeft;
    private double _loadBeganS;
    private double _loadMostS = 1;

    private int Directions => (options.Down ? 1 : 0) + (options.Up ? 1 : 0);

    /// <summary>True: down.</summary>
    private IEnumerable<bool> DirectionsAsked()
    {
        if (options.Down)
        {
            yield return true;
        }

        if (options.Up)
        {
            yield return false;
        }
    }

    /// <summary>One link is no bundle: what it carries alone was measured.</summary>
    private bool Bonded => options.Bonded && links.Count > 1;

    internal async Task<SpeedResult> RunAsync(DateTimeOffset started, CancellationToken cancellationToken)
    {
        _endS = SpeedPlan.EndS(links.Count, options.Duration);
        _left = ((links.Count + (Bonded ? 2 : 0)) * Directions) + (Bonded ? 1 : 0);
        _all = _left;
        var result = new SpeedResult { Started = started.ToString("yyyy-MM-ddTHH:mm:sszzz", System.Globalization.CultureInfo.InvariantCulture) };
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var hosts = new HostLoads(clock.Time);
        call.Sampled = hosts.TakeVps;
        Task watching = hosts.WatchAsync(ending.Token);
        try
        {
            await AddLinksAsync(result, cancellationToken);
            Task<IReadOnlyList<PathVerdict>> verifying = VerifyAsync(ending.Token);
            await Task.WhenAll(_tests.Select(t => t.IdleAsync(cancellationToken)));
            _farLeft = _tests.Count(t => t.IsFar) * Directions;
            _endS += _farLeft * SpeedPlan.FarS;
            // The quick ones are soon done, and what they leave of their time is the others'.
            foreach (LinkTest test in _tests.OrderBy(t => t.IdleS))
            {
                await AloneAsync(test, hosts, cancellationToken);
            }

            foreach (var (test, verdict) in _tests.Zip(await verifying))
            {
                test.Take(verdict);
            }
        }
        finally
        {
            await ending.CancelAsync();
            await watching;
            foreach (LinkTest test in _tests)
            {
                await test.DisposeAsync();
            }
        }

        if (Bonded)
        {
            using var bondedEnding = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            watching = hosts.WatchAsync(bondedEnding.Token);
            try
            {
                await BondedAsync(result, hosts, cancellationToken);
            }
            finally
            {
                await bondedEnding.CancelAsync();
                await watching;
            }
        }

        call.Sampled = null;
        // All together where that was measured: what single lines asked of the processors is less.
        LoadSigns[] told = [.. _signs.Any(s => s.Link is null) ? _signs.Where(s => s.Link is null) : _signs];
        result.Gateway = told.Select(s => s.Gateway).OfType<SpeedHost>().MaxBy(h => Math.Max(h.CpuRatio, h.ProcessRatio));
        result.Vps = told.Select(s => s.Vps).OfType<SpeedHost>().MaxBy(h => Math.Max(h.CpuRatio, h.ProcessRatio));
        result.Verdict = Verdict.Of(new VerdictInput(result, _signs, Memory(parts.VpsHealth())));
        if (result.Bonded is { } bonded)
        {
            bonded.Verdict = result.Verdict;
        }

        result.DurationS = clock.NowS;
        return result;
    }

    /// <summary>What limits now, of what the VPS's health says of its memory; that a host is small is no limit yet.</summary>
    private static string? Memory(VpsHealth? health) =>
        health?.Findings.FirstOrDefault(f => f.Code is "swapping" or "memory-pressure" or "memory-short" or "tcp-memory")?.Text;

    private async Task AddLinksAsync(SpeedResult result, CancellationToken cancellationToken)
    {
        IPEndPoint[] vps = await parts.ResolveAsync(cancellationToken);
        foreach (Link link in links)
        {
            if (SpeedPath.Of(link, vps) is { } path)
            {
                _tests.Add(new LinkTest(path, parts.Dialer, call, clock, _groups, parts.Loads, !options.Keep, (phase, mbps, rtt) => Report(link.Name, phase, mbps, rtt)));
                result.Links.Add(_tests[^1].Result);
            }
            else
            {
                result.Links.Add(new SpeedLink { Name = link.Name, Interface = link.Interface, Mptcp = "unknown", Error = link.Reason ?? "it has no address of the VPS's family" });
            }
        }
    }

    private async Task<IReadOnlyList<PathVerdict>> VerifyAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(VerifyTime, clock.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await new PathVerifier(parts.Dialer, clock.Time) { Told = parts.Verified }.VerifyAsync(
                [.. _tests.Select(t => t.Path)],
                path => links.Any(l => l.Name == path.Link && l is { Role: not LinkRole.Off, State: not LinkState.Down }),
                either.Token);
        }
        catch (OperationCanceledException)
        {
            return [.. _tests.Select(t => new PathVerdict(t.Path.Link, PathMptcp.Unknown, null, "it could not be verified in time"))];
        }
    }

    private async Task AloneAsync(LinkTest test, HostLoads hosts, CancellationToken cancellationToken)
    {
        foreach (bool down in DirectionsAsked())
        {
            hosts.Restart();
            LoadTime time = Next(far: test.IsFar);
            await (down ? test.DownAsync(time, cancellationToken) : test.UpAsync(time, cancellationToken));
            _signs.Add(hosts.Signs(test.Path.Link, down, test.Senders(down)));
        }

        test.EndLoad();
    }

    private async Task BondedAsync(SpeedResult result, HostLoads hosts, CancellationToken cancellationToken)
    {
        var bonded = result.Bonded = new SpeedBonded { Carrier = parts.Carrier.Name };
        LinkTest[] working = [.. _tests.Where(t => !t.Result.HasError)];
        if (working.Length == 0)
        {
            bonded.Error = "no link works";
            return;
        }

        var addresses = working.Where(t => t.Result.HasPublicAddress).ToDictionary(t => t.Path.Link, t => t.Result.PublicAddress);
        double rtt = working.Max(t => t.IdleS);
        var test = new BondedTest(parts, call, clock, _groups, addresses);
        foreach (bool down in DirectionsAsked())
        {
            double?[] rates = [.. working.Select(t => down ? (t.Result.HasDownMbps ? t.Result.DownMbps : (double?)null) : t.Result.HasUpMbps ? t.Result.UpMbps : null)];
            hosts.Restart();
            BondedLoad? load = await GuardAsync(
                bonded, () => test.CarrierAsync(down, rtt, Next(whole: true), mbps => Report("", down ? "bonded-down" : "bonded-up", mbps, null), cancellationToken));
            if (load?.Mbps is { } mbps)
            {
                BondedSums.Set(bonded, down, mbps, rates.Any(r => r is not null) ? rates.Sum() : null);
            }

            if (load is not null)
            {
                BondedSums.Merge(bonded.Subflows, load.Subflows, down);
                _signs.Add(hosts.Signs(null, down, load.Senders));
            }
        }

        SpeedPath quickest = working.MinBy(t => t.IdleS)!.Path;
        foreach (bool down in DirectionsAsked())
        {
            BondedLoad? load = await GuardAsync(
                null, () => test.KernelAsync(quickest, [.. working.Select(t => t.Path)], down, rtt, Next(whole: true), mbps => Report("", down ? "mptcp-down" : "mptcp-up", mbps, null), cancellationToken));
            if (load?.Mbps is { } mbps && down)
            {
                bonded.MptcpDownMbps = mbps;
            }
            else if (load?.Mbps is { } upMbps)
            {
                bonded.MptcpUpMbps = upMbps;
            }

            if (load is not null)
            {
                BondedSums.Merge(bonded.MptcpSubflows, load.Subflows, down);
            }
        }

        await WithoutAsync(bonded, working, test, rtt, cancellationToken);
    }

    /// <summary>
    /// Where all links together carry much less than each alone: the same without the link that the others would have to wait for the longest, of
    /// those without which more could come.
    /// </summary>
    private async Task WithoutAsync(SpeedBonded bonded, LinkTest[] working, BondedTest test, double rttS, CancellationToken cancellationToken)
    {
        bool down = bonded.HasEfficiencyDown && !(bonded.HasEfficiencyUp && bonded.EfficiencyUp < bonded.EfficiencyDown);
        if (working.Length < 2 || !(down || bonded.HasEfficiencyUp) || (down ? bonded.EfficiencyDown : bonded.EfficiencyUp) >= Verdict.Full)
        {
            return;
        }

        double with = down ? bonded.DownMbps : bonded.UpMbps;
        double sum = down ? bonded.SumDownMbps : bonded.SumUpMbps;
        LinkTest? suspect = working.Where(t => sum - (down ? t.Result.DownMbps : t.Result.UpMbps) >= with * Verdict.WorthLeavingOut).MaxBy(t => t.IdleS);
        if (suspect is null)
        {
            return;
        }

        SpeedPath path = suspect.Path;
        parts.Loads.LeaveOut(path.Interface);
        try
        {
            await Task.Delay(GoneElsewhere, clock.Time, cancellationToken);
            BondedLoad? load = await GuardAsync(null, () => test.CarrierAsync(
                down, rttS, Next(whole: true), mbps => Report(path.Link, "without", mbps, null), cancellationToken));
            if (load?.Mbps is { } mbps)
            {
                bonded.Without = new SpeedWithout { Link = path.Link, Direction = down ? "down" : "up", WithMbps = with, WithoutMbps = mbps };
            }
        }
        finally
        {
            parts.Loads.Forget(path.Interface);
        }
    }

    /// <summary>The endpoint becomes a backup, connections that begin elsewhere are made, lanes hear of it: each within a few round trips.</summary>
    private static readonly TimeSpan GoneElsewhere = TimeSpan.FromSeconds(0.7);

    private static async Task<BondedLoad?> GuardAsync(SpeedBonded? bonded, Func<Task<BondedLoad>> work)
    {
        try
        {
            return await work();
        }
        catch (IOException e)
        {
            if (bonded is not null)
            {
                bonded.Error = e.Message;
            }

            return null;
        }
    }

    private LoadTime Next(bool whole = false, bool far = false)
    {
        LoadTime length = SpeedPlan.Next(_endS - clock.NowS, _left--, options.Duration, whole, far, _farLeft);
        _farLeft -= far ? 1 : 0;
        (_loadBeganS, _loadMostS) = (clock.NowS, length.MostS + SpeedPlan.AroundS);
        return length;
    }

    /// <summary>By measurements: they end when they are steady, and not all of them are needed.</summary>
    private double Done => _left == _all ? 0 : Math.Clamp((_all - _left - 1 + Math.Min(1, (clock.NowS - _loadBeganS) / _loadMostS)) / _all, 0, 1);

    private void Report(string link, string phase, double? mbps, double? rttMs)
    {
        var progress = new SpeedProgress { Link = link, Phase = phase, DoneRatio = Done };
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
