using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Listener;

/// <summary>
/// Bounds the connections whose peer is not known yet: in all, and for each address (IPv4 address, IPv6 /64: what one subscriber has).
/// Addresses of gateways that are connected get more, so that neither a burst of theirs nor a flood of others shuts them out.
/// </summary>
internal sealed class Admission
{
    /// <summary>Each costs a socket and up to about 60 KB while its handshake is under way.</summary>
    internal const int MaxTotal = 1024;

    /// <summary>The part of <see cref="MaxTotal"/> that only known addresses may use.</summary>
    internal const int ReservedForKnown = 256;

    /// <summary>Twice the handshakes that a gateway has under way at once: two may be behind one address.</summary>
    internal const int MaxPerAddress = 64;

    internal const int MaxPerKnownAddress = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _pending = [];
    private readonly Dictionary<IPAddress, int> _known = [];
    private int _total;

    internal int Pending
    {
        get
        {
            lock (_lock)
            {
                return _total;
            }
        }
    }

    /// <summary>A place for a connection from <paramref name="address"/> until its peer is known; null: none is free.</summary>
    internal Place? TryEnter(IPAddress address)
    {
        var key = KeyOf(address);
        lock (_lock)
        {
            bool known = _known.ContainsKey(key);
            int ofAddress = _pending.GetValueOrDefault(key);
            if (_total >= (known ? MaxTotal : MaxTotal - ReservedForKnown) || ofAddress >= (known ? MaxPerKnownAddress : MaxPerAddress))
            {
                return null;
            }

            _pending[key] = ofAddress + 1;
            _total++;
            return new Place(this, key);
        }
    }

    /// <summary>A paired gateway is connected from <paramref name="address"/>; until <see cref="RemoveKnown"/>, as often as it is called.</summary>
    internal void AddKnown(IPAddress address)
    {
        lock (_lock)
        {
            var key = KeyOf(address);
            _known[key] = _known.GetValueOrDefault(key) + 1;
        }
    }

    internal void RemoveKnown(IPAddress address)
    {
        lock (_lock)
        {
            Decrement(_known, KeyOf(address));
        }
    }

    internal static IPAddress KeyOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return address;
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }

    private void Leave(IPAddress key)
    {
        lock (_lock)
        {
            _total--;
            Decrement(_pending, key);
        }
    }

    private static void Decrement(Dictionary<IPAddress, int> counts, IPAddress key)
    {
        if (counts.TryGetValue(key, out int count))
        {
            if (count > 1)
            {
                counts[key] = count - 1;
            }
            else
            {
                counts.Remove(key);
            }
        }
    }

    /// <summary>One connection's place. Disposing it twice frees it once.</summary>
    internal sealed class Place(Admission admission, IPAddress key) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                admission.Leave(key);
            }
        }
    }
}
