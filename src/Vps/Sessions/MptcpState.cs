using Aggregator.Host;

namespace Aggregator.Vps.Sessions;

/// <summary>Whether new connections to this host can be MPTCP.</summary>
internal static class MptcpState
{
    private static readonly SysctlFiles Files = new();
    private static readonly SysctlName Enabled = SysctlName.Of("net.mptcp.enabled");

    internal static bool IsEnabled() => Files.Read(Enabled) == "1";
}
