using Aggregator.Netlink;

namespace Aggregator.Lab.Topology;

/// <summary>
/// The kernel finishes interfaces in its own time: the end of a veth pair that was up first drops what it is given until a worker has noticed its carrier,
/// and its IPv6 addresses stay tentative until then.
/// </summary>
internal static class Readiness
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    /// <summary>Waits until every interface of the host that is up, or the one named, carries packets and has its addresses.</summary>
    /// <exception cref="IOException">Something keeps it from that; the message names it.</exception>
    internal static async Task WaitAsync(LabHost host, string? interfaceName = null)
    {
        using var socket = host.InNamespace(RouteSocket.Open);
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var links = (await socket.LinksAsync())
                .Where(l => !l.IsLoopback && l.Flags.HasFlag(LinkFlags.Up) && (interfaceName is null || l.Name == interfaceName)).ToList();
            var addresses = await socket.AddressesAsync();
            string? unready = links.FirstOrDefault(l => l.State != OperationalState.Up)?.Name
                ?? addresses.FirstOrDefault(a => a.IsTentative && links.Any(l => l.Index == a.InterfaceIndex))?.Address.ToString();
            if (unready is null)
            {
                return;
            }

            if (TimeProvider.System.GetElapsedTime(start) > LongestWait)
            {
                throw new IOException($"{unready} of {host.Role} does not get ready");
            }

            await Task.Delay(LookAgain);
        }
    }
}
