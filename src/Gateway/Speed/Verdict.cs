using System.Globalization;
using Aggregator.Gateway.Configuration;
using Aggregator.Protocol.V1;

namespace Aggregator.Gateway.Speed;

/// <summary>What a test showed beside its figures.</summary>
/// <param name="Signs">Load by load.</param>
/// <param name="VpsMemory">What the VPS's health says of its memory; null: nothing of note, or not known.</param>
internal sealed record VerdictInput(SpeedResult Result, IReadOnlyList<LoadSigns> Signs, string? VpsMemory = null);

/// <summary>
/// Names the bottleneck in one sentence. Pure: the same figures give the same words. Order: what makes the rest meaningless, then what was measured to
/// cost most, then the lines themselves.
/// </summary>
internal static class Verdict
{
    /// <summary>Kernel MPTCP's options alone cost 2 %.</summary>
    internal const double Full = 0.9;

    private const double BusyProcessor = 0.92;

    /// <summary>Half of all processors: one whole on the two that small servers have.</summary>
    private const double BusyProcess = 0.45;

    private const double LimitedTime = 0.3;

    /// <summary>One line's own streams, several of them, begin with small windows: they are held back for longer than a moment.</summary>
    private const double LimitedAlone = 0.5;

    /// <summary>Of a quota's periods: in every other one it had to wait.</summary>
    private const double Throttled = 0.5;

    internal const double WorthLeavingOut = 1.05;

    /// <summary>Under the best congestion control, which loses nothing of its own on a line with a queue.</summary>
    private const double Lossy = 0.004;

    /// <summary>Of sixty probes one or two may be an accident.</summary>
    private const double LossyProbes = 0.045;

    internal static string Of(VerdictInput input)
    {
        SpeedResult result = input.Result;
        SpeedLink[] measured = [.. result.Links.Where(l => l.HasDownMbps || l.HasUpMbps)];
        if (measured.Length == 0)
        {
            return result.Links.Count == 0
                ? "There is no link to measure."
                : $"No link could be measured: {string.Join("; ", result.Links.Select(l => $"{l.Name}: {(l.HasError ? l.Error : "no figures")}"))}.";
        }

        string sentence = Bonded(input, measured) ?? Alone(input, measured);
        string[] also = [.. Also(result, sentence)];
        return also.Length == 0 ? $"{sentence}." : $"{sentence}; {string.Join("; ", also)}.";
    }

    /// <summary>Null: not measured, or the lines are what limits.</summary>
    private static string? Bonded(VerdictInput input, SpeedLink[] measured)
    {
        if (input.Result.Bonded is not { } bonded || measured.Length == 0)
        {
            return null;
        }

        var directions = new (string Name, double? Efficiency, double? Mbps, double? Sum, LoadSigns? Signs)[]
        {
            ("down", bonded.HasEfficiencyDown ? bonded.EfficiencyDown : null, bonded.HasDownMbps ? bonded.DownMbps : null, bonded.HasSumDownMbps ? bonded.SumDownMbps : null, Together(input, down: true)),
            ("up", bonded.HasEfficiencyUp ? bonded.EfficiencyUp : null, bonded.HasUpMbps ? bonded.UpMbps : null, bonded.HasSumUpMbps ? bonded.SumUpMbps : null, Together(input, down: false)),
        };
        var worst = directions.Where(d => d.Efficiency is not null).OrderBy(d => d.Efficiency).FirstOrDefault();
        if (worst.Efficiency is not { } efficiency)
        {
            return bonded.HasError ? $"All links together could not be measured: {bonded.Error}" : null;
        }

        string figures = $"together {Rate(worst.Mbps)} of {Rate(worst.Sum)} Mbit/s {worst.Name} ({Percent(efficiency)})";
        if (efficiency >= Full)
        {
            string all = string.Join(", ", directions.Where(d => d.Efficiency is not null).Select(d => $"{Rate(d.Mbps)} of {Rate(d.Sum)} Mbit/s {d.Name} ({Percent(d.Efficiency!.Value)})"));
            return HeldBack(input.Signs) is { } other
                ? $"{other}: together they carry {all}, and the lines may carry more"
                : $"The lines are the limit: together they carry {all}";
        }

        if (bonded.Without is { } without && without.WithoutMbps >= without.WithMbps * WorthLeavingOut)
        {
            return $"{without.Link} lowers the total: {Rate(without.WithMbps)} Mbit/s {without.Direction} with it, {Rate(without.WithoutMbps)} without it";
        }

        SpeedLink[] stripped = [.. measured.Where(l => l.Mptcp == "stripped")];
        if (stripped.Length > 0 && measured.Length > 1 && bonded.Carrier == GatewayConfig.MptcpCarrier)
        {
            return $"MPTCP is stripped on {Names(stripped)}, so {(stripped.Length == 1 ? "it adds" : "they add")} little to the other links: {figures}";
        }

        if (input.VpsMemory is { } memory)
        {
            return $"The VPS is short of memory ({memory}): {figures}";
        }

        LoadSigns signs = worst.Signs ?? new LoadSigns(null, worst.Name == "down", input.Result.Gateway, input.Result.Vps, null);
        return $"{Processor(signs, ofOurs: false) ?? Window(signs, LimitedTime) ?? $"The {bonded.Carrier} carrier is the limit, not the lines, the processors or the windows"}: {figures}";
    }

    private static string Alone(VerdictInput input, SpeedLink[] measured)
    {
        string rates = string.Join(", ", measured.Select(l => $"{l.Name} {(l.HasDownMbps ? Rate(l.DownMbps) : "–")} down {(l.HasUpMbps ? Rate(l.UpMbps) : "–")} up"));
        return HeldBack(input.Signs) is { } other ? $"{other}: {rates} Mbit/s, and the lines may carry more" : $"The lines are the limit: {rates} Mbit/s";
    }

    private static LoadSigns? Together(VerdictInput input, bool down) => input.Signs.FirstOrDefault(s => s.Link is null && s.Down == down);

    /// <summary>
    /// What kept even a single line from being full, so that the sum says nothing of the lines: our own use of a processor, or a window; but not where the
    /// senders waited for the line all the same. Null: nothing did.
    /// </summary>
    private static string? HeldBack(IReadOnlyList<LoadSigns> all)
    {
        foreach (LoadSigns signs in all.Where(s => s.Link is not null && s.Senders?.WaitedForTheLine != true))
        {
            if ((Processor(signs, ofOurs: true) ?? Window(signs, LimitedAlone)) is { } what)
            {
                return $"{what}, on {signs.Link} {(signs.Down ? "down" : "up")}";
            }
        }

        return null;
    }

    private static string? Window(LoadSigns signs, double least)
    {
        if (signs.Senders is not { Receiver: var receiver, Buffer: var buffer } senders)
        {
            return null;
        }

        if (Math.Max(receiver, buffer) <= least)
        {
            return senders.HadNoRoom ? $"The send buffer of the {(signs.Down ? "VPS" : "gateway")} is the limit (nothing waits in it, and no queue stands on the way)" : null;
        }

        return receiver >= buffer
            ? $"The receive window of the {(signs.Down ? "gateway" : "VPS")} is the limit ({Percent(receiver)} of the time)"
            : $"The send buffer of the {(signs.Down ? "VPS" : "gateway")} is the limit ({Percent(buffer)} of the time)";
    }

    /// <summary>What is wrong with single links, and was not said yet.</summary>
    private static IEnumerable<string> Also(SpeedResult result, string said)
    {
        foreach (SpeedLink link in result.Links)
        {
            if (link.HasError)
            {
                yield return $"{link.Name} failed: {link.Error}";
            }

            if (link.Mptcp == "stripped" && !said.StartsWith("MPTCP is stripped", StringComparison.Ordinal))
            {
                yield return $"MPTCP is stripped on {link.Name}{(link.HasMptcpWhere ? $" ({link.MptcpWhere})" : "")}";
            }

            if (link.ShapingDown is { } down)
            {
                yield return Shaped(link.Name, "down", down);
            }

            if (link.ShapingUp is { } up)
            {
                yield return Shaped(link.Name, "up", up);
            }

            double? loss = link.HasPacedLossRatio && link.PacedLossRatio > Lossy
                ? link.PacedLossRatio
                : link.HasLossRatio && link.LossRatio > LossyProbes ? link.LossRatio : null;
            if (loss is { } lost)
            {
                yield return $"{link.Name} loses {(lost * 100).ToString(lost < 0.095 ? "0.0" : "0", CultureInfo.InvariantCulture)} % of its packets";
            }
        }
    }

    private static string Shaped(string link, string direction, SpeedShaping shaping) =>
        $"{link} is shaped on the way: {Rate(shaping.BurstMbps)} Mbit/s {direction} for {shaping.BurstS.ToString("0.0", CultureInfo.InvariantCulture)} s, then {Rate(shaping.AfterMbps)}";

    /// <param name="ofOurs">Only where it is this product's own work that takes it.</param>
    private static string? Processor(LoadSigns signs, bool ofOurs)
    {
        double? vps = Busy(signs.Vps, ofOurs);
        double? gateway = Busy(signs.Gateway, ofOurs);
        if (vps is null && gateway is null)
        {
            return null;
        }

        bool ofVps = gateway is null || vps >= gateway;
        SpeedHost host = ofVps ? signs.Vps! : signs.Gateway!;
        string busy = Percent((ofVps ? vps : gateway)!.Value);
        return $"The {(ofVps ? "VPS" : "gateway")}'s processor is the limit ({(host.HasLimitCpus ? $"{busy} of the {host.LimitCpus.ToString("0.##", CultureInfo.InvariantCulture)} processors that its cgroup may use" : $"{busy} busy")})";
    }

    /// <summary>How busy, where that is what limits: all there is, or a processor that does the most together with our own part in it.</summary>
    private static double? Busy(SpeedHost? host, bool ofOurs)
    {
        if (host is null)
        {
            return null;
        }

        bool ours = host.ProcessRatio >= BusyProcessor
            || (host.HasLimitCpus && (host.ThrottledRatio >= Throttled || host.CpuRatio >= BusyProcessor))
            || (host.CpuRatio >= BusyProcessor && host.ProcessRatio >= BusyProcess);
        bool busy = ours || (!ofOurs && (host.CpuRatio >= BusyProcessor || (host.CpuBusiestRatio >= BusyProcessor && host.ProcessRatio >= BusyProcess)));
        return busy ? Math.Max(host.ProcessRatio, host.HasLimitCpus ? host.CpuRatio : Math.Max(host.CpuRatio, host.CpuBusiestRatio)) : null;
    }

    private static string Names(IEnumerable<SpeedLink> links) => string.Join(" and ", links.Select(l => l.Name));

    private static string Rate(double? mbps) => mbps is { } rate ? rate.ToString(rate < 9.95 ? "0.0" : "0", CultureInfo.InvariantCulture) : "–";

    private static string Percent(double ratio) => (ratio * 100).ToString("0", CultureInfo.InvariantCulture) + " %";
}
