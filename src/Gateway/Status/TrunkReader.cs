using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Configuration;
using Aggregator.Gateway.Lanes;
using Aggregator.Protocol.V1;
using Aggregator.Trunk;

namespace Aggregator.Gateway.Status;

/// <summary>The trunk's part of the status: a line for each link, with its lane or why there is none.</summary>
/// <param name="carrier">Null: the carrier is another one.</param>
/// <param name="hasBackups">Whether lanes get backup paths.</param>
internal sealed class TrunkReader(TrunkCarrier? carrier, IWanList wans, bool hasBackups)
{
    /// <summary>Null: the carrier is another one.</summary>
    internal TrunkStatus? Read()
    {
        if (carrier is null)
        {
            return null;
        }

        TrunkStatus status = carrier.Sessions.Current is { } session ? TrunkStatusText.Of(session.Sample(0)) : new TrunkStatus();
        var lanes = status.Lanes.ToDictionary(l => l.Id);
        status.Lanes.Clear();
        status.BackupPaths = hasBackups
            ? "subflows by connection"
            : "none: this kernel cannot open MPTCP subflows of one connection by themselves";
        var keepers = carrier.Lanes.Keepers;
        foreach (Wan wan in wans.Current)
        {
            LaneKeeper? keeper = keepers.GetValueOrDefault(wan.Name);
            status.Lanes.Add(Lane(wan, keeper, lanes));
        }

        return status;
    }

    /// <summary>What the kernel made of the lanes' connections. Null: the carrier is another one.</summary>
    internal CarrierSample? Sample()
    {
        if (carrier is null)
        {
            return null;
        }

        var sockets = carrier.Lanes.Keepers.Values.Select(k => k.Live).OfType<LiveLane>().Select(l => l.Socket).ToArray();
        return CarrierSample.Read(sockets, sockets.Length, sockets.Length);
    }

    /// <summary>The links' own figures and the warnings that follow from the lanes'.</summary>
    internal static void AddTo(GatewayStatus status)
    {
        if (status.Trunk is not { } trunk)
        {
            return;
        }

        double received = trunk.Lanes.Sum(l => l.HasReceivedMbps ? l.ReceivedMbps : 0);
        foreach (TrunkLaneStatus lane in trunk.Lanes)
        {
            if (status.Links.FirstOrDefault(l => l.Name == lane.Link) is { } link && lane.HasId)
            {
                (link.TrunkDownMbps, link.TrunkUpMbps) = (lane.ReceivedMbps, lane.SentMbps);
                if (received > 0)
                {
                    link.TrunkShareDown = lane.ReceivedMbps / received;
                }

                if (lane.HasShare)
                {
                    link.TrunkShareUp = lane.Share;
                }
            }

            if (lane.Mptcp == "stripped")
            {
                status.Warnings.Add(new Warning
                {
                    Code = "mptcp-fallback",
                    Text = $"{lane.Link}: its lane goes on as plain TCP: something on the way, or the VPS, does not let MPTCP through; it works, without a backup path",
                });
            }

            if (lane.State == "demoted")
            {
                string figures = lane.Guard is { } guard
                    ? $": {guard.WithMbps:0.#} Mbit/s with it{(guard.HasWithoutMbps ? $", {guard.WithoutMbps:0.#} without" : "")}"
                        + (guard.HasRetryInS ? $"; tried again in {guard.RetryInS:0} s" : "")
                    : "";
                status.Warnings.Add(new Warning { Code = "lane-demoted", Text = $"{lane.Link} is held back because it lowered the total{figures}" });
            }
        }
    }

    private static TrunkLaneStatus Lane(Wan wan, LaneKeeper? keeper, Dictionary<uint, TrunkLaneStatus> known)
    {
        if (keeper?.Live is not { } live || !known.TryGetValue(live.Lane.Id, out TrunkLaneStatus? lane))
        {
            bool off = !wan.IsUsable;
            var none = new TrunkLaneStatus
            {
                Link = wan.Name,
                State = off ? "off" : "dialing",
                Role = TrunkStatusText.Role(TrunkLaneDialer.RoleOf(wan)),
            };
            if (off)
            {
                none.Reason = wan.Role == LinkRole.Off ? "the link is switched off" : "the link is down";
            }
            else if (keeper?.Reason is { } reason)
            {
                none.Reason = reason;
            }

            return none;
        }

        lane.Mptcp = live.Look.FellBack ? "stripped" : "v1";
        lane.Backups = (uint)live.Look.Backups;
        lane.Local = live.Local?.ToString() ?? "";
        lane.Remote = live.Remote?.ToString() ?? "";
        if (lane.State == "stalled")
        {
            lane.Reason = live.Look.IsElsewhere ? "its link is silent; what it held goes over a backup path" : "nothing is heard of what it carries";
        }

        return lane;
    }
}
