using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>A queueing discipline or a class of one (RTM_NEWQDISC, RTM_NEWTCLASS), as far as it limits a rate.</summary>
internal sealed record QdiscInfo
{
    internal required int InterfaceIndex { get; init; }

    /// <summary>As `tc` names it: tbf, htb, cake, fq_codel, netem, noqueue, ingress, …</summary>
    internal required string Kind { get; init; }

    /// <summary>Major number in the upper, minor in the lower 16 bits.</summary>
    internal uint Handle { get; init; }

    internal uint Parent { get; init; }

    /// <summary>What it sends at most; null where it limits nothing, or a kind whose rate we do not read. Of an HTB class its ceiling.</summary>
    internal ulong? BytesPerSecond { get; init; }

    internal static bool TryParse(scoped in NetlinkMessage message, out QdiscInfo? qdisc)
    {
        qdisc = null;
        if (!message.TryRead(out Libc.tcmsg header, out NetlinkAttributes attributes))
        {
            return false;
        }

        string? kind = null;
        ReadOnlySpan<byte> options = default;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.TCA_KIND:
                    kind = attribute.ReadString();
                    break;
                case Libc.TCA_OPTIONS:
                    options = attribute.Value;
                    break;
            }
        }

        if (attributes.Malformed || kind is null)
        {
            return false;
        }

        qdisc = new QdiscInfo
        {
            InterfaceIndex = header.tcm_ifindex,
            Kind = kind,
            Handle = header.tcm_handle,
            Parent = header.tcm_parent,
            BytesPerSecond = RateOf(kind, options),
        };
        return true;
    }

    /// <summary>Null also for options that make no sense: a diagnosis does not fail for them.</summary>
    private static ulong? RateOf(string kind, ReadOnlySpan<byte> options)
    {
        ulong? rate = null;
        ulong? rate64 = null;
        // netem's options begin with a fixed struct tc_netem_qopt.
        const int NetemHeadBytes = 24;
        var attributes = new NetlinkAttributes(kind == "netem" ? options[Math.Min(NetemHeadBytes, options.Length)..] : options);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (kind, attribute.Type)
            {
                case ("tbf", Libc.TCA_TBF_PARMS) when attribute.TryRead(out Libc.tc_tbf_qopt tbf):
                    rate = tbf.rate.rate;
                    break;
                case ("htb", Libc.TCA_HTB_PARMS) when attribute.TryRead(out Libc.tc_htb_opt htb):
                    rate = htb.ceil.rate;
                    break;
                case ("netem", Libc.TCA_NETEM_RATE) when attribute.TryRead(out uint netem):
                    rate = netem;
                    break;
                case ("tbf", Libc.TCA_TBF_RATE64) or ("htb", Libc.TCA_HTB_CEIL64) or ("cake", Libc.TCA_CAKE_BASE_RATE64) or ("netem", Libc.TCA_NETEM_RATE64)
                    when attribute.TryRead(out ulong wide):
                    rate64 = wide;
                    break;
            }
        }

        ulong? all = rate64 ?? rate;
        return all is null or 0 ? null : all;
    }
}
