using System.Net;
using Aggregator.Protocol.V1;
using Google.Protobuf.Collections;

namespace Aggregator.Gateway.Speed;

/// <summary>Joins what the measurements of all links together brought, direction by direction, into the one result.</summary>
internal static class BondedSums
{
    /// <param name="sum">Of the links alone; null: none is known.</param>
    internal static void Set(SpeedBonded bonded, bool down, double mbps, double? sum)
    {
        if (down)
        {
            bonded.DownMbps = mbps;
        }
        else
        {
            bonded.UpMbps = mbps;
        }

        if (sum is > 0 and var all && down)
        {
            (bonded.SumDownMbps, bonded.EfficiencyDown) = (all, mbps / all);
        }
        else if (sum is > 0 and var allUp)
        {
            (bonded.SumUpMbps, bonded.EfficiencyUp) = (allUp, mbps / allUp);
        }
    }

    /// <summary>One line a link and address of both directions: shares of each, the sender's figures of the download where there was one.</summary>
    internal static void Merge(RepeatedField<SpeedSubflow> all, IReadOnlyList<SpeedSubflow> lines, bool down)
    {
        foreach (SpeedSubflow line in lines)
        {
            SpeedSubflow? known = all.FirstOrDefault(s => s.Remote == line.Remote && Host(s.Local) == Host(line.Local));
            if (known is null)
            {
                all.Add(line);
            }
            else if (!down && line.HasShareUp)
            {
                known.ShareUp = line.ShareUp;
                if (!known.HasRttMs && line.HasRttMs)
                {
                    (known.RttMs, known.Cwnd) = (line.RttMs, line.Cwnd);
                }

                known.Retransmits += line.Retransmits;
            }
        }
    }

    /// <summary>Ports differ from connection to connection.</summary>
    private static string Host(string local) => IPEndPoint.TryParse(local, out var end) ? end.Address.ToString() : local;
}
