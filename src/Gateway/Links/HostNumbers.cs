namespace Aggregator.Gateway.Links;

/// <summary>
/// The numbers under which the gateway's things appear on the host (`ip rule`, `ip route show table all`). They mark what is ours,
/// so they never change between versions: `down` of a new version must find what an old one left.
/// </summary>
internal static class HostNumbers
{
    /// <summary>Route and rule protocol (rtm_protocol, FRA_PROTOCOL). Not in iproute2's rt_protos.</summary>
    internal const byte Protocol = 0xA6;

    /// <summary>The table of the WAN in slot 0; slot n has the n-th after it.</summary>
    internal const int FirstTable = 0xA600;

    /// <summary>Where marked packets of the LAN are delivered locally (TPROXY).</summary>
    internal const int TproxyTable = 0xA6FF;

    /// <summary>Refuses: where packets go that belong to a WAN which is away.</summary>
    internal const int RefusingTable = 0xA6FE;

    /// <summary>Into the tunnel's interface.</summary>
    internal const int TunnelTable = 0xA6FD;

    /// <summary>Packets of the LAN for the tunnel carry it, under <see cref="TproxyMask"/>.</summary>
    internal const uint TunnelMark = 0xA700;

    /// <summary>Behind <see cref="DirectRule"/>: what has begun to go out directly stays there.</summary>
    internal const uint TunnelRule = 10606;

    /// <summary>The tunnel's interface.</summary>
    internal const string TunnelDevice = "agg0";

    /// <summary>
    /// This host's own addresses in the tunnel, whence it sends for others (SOCKS5's UDP). Every gateway has the same: the VPS tells them apart by
    /// their interfaces. Of the carriers' range (RFC 6598), which no LAN has, and a unique local prefix drawn once (RFC 4193).
    /// </summary>
    internal static readonly System.Net.IPAddress TunnelV4 = System.Net.IPAddress.Parse("100.127.166.1");

    internal static readonly System.Net.IPAddress TunnelV6 = System.Net.IPAddress.Parse("fdc4:9d1e:a6a6::1");

    /// <summary>Of the roaming clients' interface; the namespace's number follows.</summary>
    internal const string ClientsDevicePrefix = "aggc";

    /// <summary>Tables 0xA6F0 to 0xA6FC stay free for later use.</summary>
    internal const int MaxWans = 0xF0;

    internal const int MainTable = 254;

    /// <summary>Packets for the transparent listeners carry it; other bits of the mark belong to others.</summary>
    internal const uint TproxyMark = 0xA600;

    internal const uint TproxyMask = 0xFF00;

    /// <summary>Which WAN a packet, and a connection of conntrack's, belongs to: its slot and one.</summary>
    internal const uint DirectMask = 0x00FF0000;

    internal static uint DirectMarkOf(int slot) => (uint)(slot + 1) << 16;

    /// <summary>Rule priorities: ahead of main (32766), behind what people usually put first.</summary>
    internal const uint TproxyRule = 10600;

    /// <summary>Packets that belong to one WAN.</summary>
    internal const uint DirectRule = 10604;

    internal const uint SourceRule = 10610;

    internal const uint DeviceRule = 10620;

    internal const string NftTable = "aggregator";

    internal const string DirectNftTable = "aggregator_direct";

    internal static bool IsOurTable(int table) => table is >= FirstTable and <= TproxyTable;
}
