using System.Net;

namespace Aggregator.Lab.Topology;

/// <summary>Who has which address. The same in every lab: the namespaces keep labs apart.</summary>
internal static class LabAddresses
{
    internal static readonly IPAddress LanGateway = IPAddress.Parse("192.168.77.1");
    internal static readonly IPAddress LanGatewayV6 = IPAddress.Parse("fd00:c0a8:77::1");
    internal static readonly IPAddress Client = IPAddress.Parse("192.168.77.2");
    internal static readonly IPAddress ClientV6 = IPAddress.Parse("fd00:c0a8:77::2");

    internal static readonly IPAddress Vps = IPAddress.Parse("198.51.100.2");
    internal static readonly IPAddress VpsV6 = IPAddress.Parse("2001:db8:100::2");
    internal static readonly IPAddress VpsRouter = IPAddress.Parse("198.51.100.1");
    internal static readonly IPAddress VpsRouterV6 = IPAddress.Parse("2001:db8:100::1");

    /// <summary>The VPS refuses private ranges unless its configuration has `allow: [10.50.0.0/24]`.</summary>
    internal static readonly IPAddress Internet = IPAddress.Parse("10.50.0.2");
    internal static readonly IPAddress InternetV6 = IPAddress.Parse("2001:db8:50::2");
    internal static readonly IPAddress InternetRouter = IPAddress.Parse("10.50.0.1");
    internal static readonly IPAddress InternetRouterV6 = IPAddress.Parse("2001:db8:50::1");

    /// <param name="number">1 for the first WAN.</param>
    internal static IPAddress Wan(int number) => IPAddress.Parse($"10.11.{number}.2");

    internal static IPAddress WanV6(int number) => IPAddress.Parse($"2001:db8:11:{number}::2");

    internal static IPAddress WanRouter(int number) => IPAddress.Parse($"10.11.{number}.1");

    internal static IPAddress WanRouterV6(int number) => IPAddress.Parse($"2001:db8:11:{number}::1");

    /// <summary>The ISP's side of its line to the core; what the internet sees of a WAN behind NAT.</summary>
    internal static IPAddress Isp(int number) => IPAddress.Parse($"10.12.{number}.2");

    internal static IPAddress IspV6(int number) => IPAddress.Parse($"2001:db8:12:{number}::2");

    internal static IPAddress IspCore(int number) => IPAddress.Parse($"10.12.{number}.1");

    internal static IPAddress IspCoreV6(int number) => IPAddress.Parse($"2001:db8:12:{number}::1");
}
