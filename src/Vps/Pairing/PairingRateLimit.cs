using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Pairing;

/// <summary>
/// Five wrong tries a minute from an address (IPv6: from a /64, which one customer has whole); then the address waits until the minute
/// that began with its first wrong try is over. A try counts as wrong from its start, so that many at once get no further.
/// </summary>
internal sealed class PairingRateLimit(TimeProvider time)
{
    internal const int WrongTries = 5;

    /// <summary>About 400 KiB. When full, the window that began first makes room: codes are too long to be guessed anyway.</summary>
    internal const int MaxAddresses = 4096;

    internal static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private const int Ipv6PrefixBytes = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, (long Began, int Tries)> _windows = [];

    internal int Addresses
    {
        get
        {
            lock (_lock)
            {
                return _windows.Count;
            }
        }
    }

    /// <returns>False: too many wrong tries; this one is not to be looked at.</returns>
    internal bool TryBegin(IPAddress address)
    {
        var key = Key(address);
        lock (_lock)
        {
            long now = time.GetTimestamp();
            if (_windows.TryGetValue(key, out var window) && !IsOver(window.Began, now))
            {
                if (window.Tries >= WrongTries)
                {
                    return false;
                }

                _windows[key] = window with { Tries = window.Tries + 1 };
                return true;
            }

            _windows.Remove(key);
            MakeRoom(now);
            _windows[key] = (now, 1);
            return true;
        }
    }

    /// <summary>The try was right: it does not count.</summary>
    internal void Forgive(IPAddress address)
    {
        var key = Key(address);
        lock (_lock)
        {
            if (!_windows.TryGetValue(key, out var window))
            {
                return;
            }

            if (window.Tries <= 1)
            {
                _windows.Remove(key);
            }
            else
            {
                _windows[key] = window with { Tries = window.Tries - 1 };
            }
        }
    }

    private void MakeRoom(long now)
    {
        if (_windows.Count < MaxAddresses)
        {
            return;
        }

        foreach (var (address, window) in _windows.ToArray())
        {
            if (IsOver(window.Began, now))
            {
                _windows.Remove(address);
            }
        }

        if (_windows.Count >= MaxAddresses)
        {
            _windows.Remove(_windows.MinBy(w => w.Value.Began).Key);
        }
    }

    private bool IsOver(long began, long now) => time.GetElapsedTime(began, now) >= Window;

    private static IPAddress Key(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(Ipv6PrefixBytes).Clear();
        return new IPAddress(bytes);
    }
}
