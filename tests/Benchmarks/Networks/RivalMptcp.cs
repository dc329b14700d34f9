using Aggregator.Lab.Topology;

namespace Aggregator.Benchmarks.Networks;

/// <summary>What aggregator-gateway and aggregator-vps set up by themselves, for those who do not: source routes, MPTCP endpoints and limits.</summary>
internal static class RivalMptcp
{
    /// <summary>Routing tables of the WANs: 101…</summary>
    private const int FirstTable = 101;

    internal static async Task PrepareAsync(NetworkLab lab)
    {
        // One bad handshake on a WAN would switch MPTCP off for an hour.
        lab.Gateway.SetSysctl("net/mptcp/blackhole_timeout", "0");
        foreach (LabWan wan in lab.Wans)
        {
            int table = FirstTable + wan.Number - 1;
            await lab.Gateway.ConfigureAsync(
                $"""
                route add default via {wan.Router} dev {wan.Interface} table {table}
                rule add from {wan.Address} table {table}
                mptcp endpoint add {wan.Address} dev {wan.Interface} subflow

                """);
        }

        foreach (LabHost host in (LabHost[])[lab.Gateway, lab.Vps])
        {
            await host.ConfigureAsync("mptcp limits set subflows 8 add_addr_accepted 8\n");
        }
    }

    /// <summary>Whether MPTCP carries connections of the VPS at this moment, asked from the kernel.</summary>
    internal static async Task<bool> IsSpokenAsync(NetworkLab lab) =>
        (await lab.Vps.OutputAsync("ss", "-HMn", "state", "established")).AsSpan().Trim().Length > 0;
}
