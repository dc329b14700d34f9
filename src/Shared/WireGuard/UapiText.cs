using System.Globalization;
using System.Net;
using System.Text;

namespace Aggregator.WireGuard;

/// <summary>WireGuard's cross-platform configuration protocol (wireguard.com/xplatform): lines of key=value, ended by an empty one.</summary>
internal static class UapiText
{
    internal const string Get = "get=1\n\n";

    internal static string Set(WireGuardChange change)
    {
        var text = new StringBuilder("set=1\n");
        if (change.PrivateKey is { } key)
        {
            Line("private_key", key.ToHex());
        }

        if (change.ListenPort is { } port)
        {
            Line("listen_port", port.ToString(CultureInfo.InvariantCulture));
        }

        if (change.ReplacePeers)
        {
            Line("replace_peers", "true");
        }

        foreach (var peer in change.Peers)
        {
            Line("public_key", peer.PublicKey.ToHex());
            if (peer.Remove)
            {
                Line("remove", "true");
                continue;
            }

            if (peer.EndPoint is { } endPoint)
            {
                Line("endpoint", endPoint.ToString());
            }

            if (peer.KeepAliveS is { } seconds)
            {
                Line("persistent_keepalive_interval", seconds.ToString(CultureInfo.InvariantCulture));
            }

            Line("replace_allowed_ips", "true");
            foreach (var network in peer.AllowedAddresses)
            {
                Line("allowed_ip", network.ToString());
            }
        }

        return text.Append('\n').ToString();

        void Line(string name, string value) => text.Append(name).Append('=').Append(value).Append('\n');
    }

    /// <summary>The answer's errno; null: not an answer.</summary>
    internal static int? Errno(string answer)
    {
        foreach (var line in answer.AsSpan().EnumerateLines())
        {
            if (line.StartsWith("errno="))
            {
                return int.TryParse(line["errno=".Length..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int errno) ? Math.Abs(errno) : null;
            }
        }

        return null;
    }

    /// <summary>The peers of an answer to <see cref="Get"/>. Unknown keys are passed over, as the protocol says. Null: a value that cannot be one.</summary>
    internal static IReadOnlyList<WireGuardPeerState>? Peers(string answer)
    {
        var peers = new List<WireGuardPeerState>();
        foreach (var line in answer.AsSpan().EnumerateLines())
        {
            int equals = line.IndexOf('=');
            if (equals < 0)
            {
                continue;
            }

            var value = line[(equals + 1)..];
            if (line[..equals] is "public_key")
            {
                if (WireGuardKey.TryParseHex(value) is not { } key)
                {
                    return null;
                }

                peers.Add(new WireGuardPeerState(key, null, null, 0, 0));
            }
            else if (peers.Count > 0 && !TryTake(line[..equals], value, peers))
            {
                return null;
            }
        }

        return peers;
    }

    private static bool TryTake(ReadOnlySpan<char> name, ReadOnlySpan<char> value, List<WireGuardPeerState> peers)
    {
        var peer = peers[^1];
        ulong number = 0;
        switch (name)
        {
            case "endpoint":
                // IPEndPoint takes an address without a port too.
                if (value.LastIndexOf(':') <= 0 || !IPEndPoint.TryParse(value, out var endPoint) || endPoint.Port == 0)
                {
                    return false;
                }

                peer = peer with { EndPoint = endPoint };
                break;
            case "last_handshake_time_sec":
                if (!TryRead(value, ref number) || number > (ulong)DateTimeOffset.MaxValue.ToUnixTimeSeconds())
                {
                    return false;
                }

                peer = peer with { LastHandshake = number == 0 ? null : DateTimeOffset.FromUnixTimeSeconds((long)number) };
                break;
            case "rx_bytes":
                if (!TryRead(value, ref number))
                {
                    return false;
                }

                peer = peer with { RxBytes = number };
                break;
            case "tx_bytes":
                if (!TryRead(value, ref number))
                {
                    return false;
                }

                peer = peer with { TxBytes = number };
                break;
        }

        peers[^1] = peer;
        return true;
    }

    private static bool TryRead(ReadOnlySpan<char> value, ref ulong number) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
