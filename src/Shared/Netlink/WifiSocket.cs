using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>nl80211: the kernel's Wi-Fi.</summary>
internal sealed class WifiSocket : IDisposable
{
    private readonly NetlinkSocket _socket;
    private readonly GenericNetlinkFamily _family;

    private WifiSocket(NetlinkSocket socket, GenericNetlinkFamily family) => (_socket, _family) = (socket, family);

    /// <summary>Null: this kernel has no Wi-Fi.</summary>
    internal static async Task<WifiSocket?> TryOpenAsync(CancellationToken cancellationToken)
    {
        var socket = NetlinkSocket.Open(Libc.NETLINK_GENERIC);
        try
        {
            if (await GenericNetlinkFamily.FindAsync(socket, "nl80211", cancellationToken) is { } family)
            {
                return new WifiSocket(socket, family);
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        socket.Dispose();
        return null;
    }

    /// <summary>The access point of an interface; null: it has none, or is no Wi-Fi interface.</summary>
    internal async Task<WifiStation?> StationAsync(int interfaceIndex, CancellationToken cancellationToken)
    {
        try
        {
            var stations = await _socket.DumpAsync<(ushort Family, int Index), WifiStation>(
                "dump of Wi-Fi stations",
                (_family.Id, interfaceIndex),
                static (ref NetlinkWriter writer, (ushort Family, int Index) of) =>
                {
                    GenericNetlinkFamily.Begin(ref writer, of.Family, Libc.NL80211_CMD_GET_STATION, 0);
                    writer.Attribute(Libc.NL80211_ATTR_IFINDEX, of.Index);
                },
                WifiStation.TryParse,
                cancellationToken);
            return stations.Count > 0 ? stations[0] : null;
        }
        catch (NetlinkException)
        {
            // ENODEV, EOPNOTSUPP: no Wi-Fi interface, or not associated.
            return null;
        }
    }

    public void Dispose() => _socket.Dispose();
}
