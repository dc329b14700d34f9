namespace Aggregator.Interop;

/// <summary>linux/nl80211.h</summary>
internal static unsafe partial class Libc
{
    internal const byte NL80211_CMD_GET_STATION = 17;

    internal const ushort NL80211_ATTR_IFINDEX = 3;
    internal const ushort NL80211_ATTR_STA_INFO = 21;

    internal const ushort NL80211_STA_INFO_SIGNAL = 7;
    internal const ushort NL80211_STA_INFO_TX_BITRATE = 8;
    internal const ushort NL80211_STA_INFO_RX_BITRATE = 14;

    internal const ushort NL80211_RATE_INFO_BITRATE = 1;
    internal const ushort NL80211_RATE_INFO_BITRATE32 = 5;
}
