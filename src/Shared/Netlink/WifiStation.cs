using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>What a Wi-Fi interface's driver says of its access point (NL80211_CMD_GET_STATION). Null: it does not say.</summary>
/// <param name="SignalDbm">Of what was received last, -128 to -1.</param>
/// <param name="RxMbps">The radio's rate for what comes in; payload gets about half.</param>
internal sealed record WifiStation(int? SignalDbm, double? RxMbps, double? TxMbps)
{
    internal static bool TryParse(scoped in NetlinkMessage message, out WifiStation? station)
    {
        station = null;
        if (!message.TryRead(out Libc.genlmsghdr _, out NetlinkAttributes attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Libc.NL80211_ATTR_STA_INFO)
            {
                station = Parse(attribute.Value);
            }
        }

        return !attributes.Malformed;
    }

    /// <summary>The attributes within NL80211_ATTR_STA_INFO. Takes any bytes; what makes no sense is not known.</summary>
    internal static WifiStation Parse(ReadOnlySpan<byte> info)
    {
        int? signal = null;
        double? rx = null, tx = null;
        var attributes = new NetlinkAttributes(info);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                // An unsigned byte on the wire that holds a signed number; 0 is what drivers without a figure leave.
                case Libc.NL80211_STA_INFO_SIGNAL when attribute.TryRead(out sbyte dbm) && dbm < 0:
                    signal = dbm;
                    break;
                case Libc.NL80211_STA_INFO_RX_BITRATE:
                    rx = Rate(attribute.Value);
                    break;
                case Libc.NL80211_STA_INFO_TX_BITRATE:
                    tx = Rate(attribute.Value);
                    break;
            }
        }

        return new WifiStation(signal, rx, tx);
    }

    /// <summary>In units of 100 kbit/s; the 32-bit one where both are there.</summary>
    private static double? Rate(ReadOnlySpan<byte> rate)
    {
        double? narrow = null, wide = null;
        var attributes = new NetlinkAttributes(rate);
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Libc.NL80211_RATE_INFO_BITRATE when attribute.TryRead(out ushort value) && value > 0:
                    narrow = value / 10.0;
                    break;
                case Libc.NL80211_RATE_INFO_BITRATE32 when attribute.TryRead(out uint value) && value > 0:
                    wide = value / 10.0;
                    break;
            }
        }

        return wide ?? narrow;
    }
}
