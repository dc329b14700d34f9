using Aggregator.Gateway.Doctor.Checks;

namespace Aggregator.Gateway.Doctor;

/// <summary>Every check, in the order of the report: from what everything needs to what is seldom the matter.</summary>
internal static class CheckList
{
    internal static IReadOnlyList<ICheck> All { get; } =
    [
        new DaemonCheck(),
        new VpsCheck(),
        new LinksCheck(),
        new WarningsCheck(),
        new LossCheck(),
        new SpeedCheck(),
        new MptcpCheck(),
        new TrafficSplitCheck(),
        new MtuCheck(),
        new NatCheck(),
        new CaptivePortalCheck(),
        new SameUpstreamCheck(),
        new PrivateRangesCheck(),
        new DuplicateMacCheck(),
        new DefaultRoutesCheck(),
        new DnsCheck(),
        new ShapingCheck(),
        new WifiCheck(),
        new VpsHealthCheck(),
        new VersionsCheck(),
        new ClockCheck(),
        new KernelCheck(),
        new LanCheck(),
        new PacketsCheck(),
        new VpsNatCheck(),
        new ForwardingCheck(),
        new ListenersCheck(),
        new ConntrackCheck(),
        new FilesCheck(),
        new DiskCheck(),
    ];
}
