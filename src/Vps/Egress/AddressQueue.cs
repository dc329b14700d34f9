using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Egress;

/// <summary>The addresses of one dial in the order of RFC 8305 section 4: families take turns, IPv6 first. For one loop; not thread-safe.</summary>
internal sealed class AddressQueue(EgressPolicy policy)
{
    /// <summary>Addresses of one family that are considered: a name server's answer is somebody else's data.</summary>
    internal const int MaxPerFamily = 16;

    private readonly Queue<IPAddress> _v6 = new();
    private readonly Queue<IPAddress> _v4 = new();
    private readonly HashSet<IPAddress> _seen = [];
    private AddressFamily _last = AddressFamily.InterNetwork;

    internal bool IsEmpty => _v6.Count + _v4.Count == 0;

    /// <summary>Whether an address was left out because the rules do not allow it.</summary>
    internal bool RefusedAny { get; private set; }

    internal void Add(IEnumerable<IPAddress> addresses)
    {
        foreach (var given in addresses)
        {
            var address = given.IsIPv4MappedToIPv6 ? given.MapToIPv4() : given;
            var queue = address.AddressFamily == AddressFamily.InterNetworkV6 ? _v6 : _v4;
            if (queue.Count < MaxPerFamily && _seen.Add(address))
            {
                if (policy.Allows(address))
                {
                    queue.Enqueue(address);
                }
                else
                {
                    RefusedAny = true;
                }
            }
        }
    }

    /// <summary>The next one to dial. It was checked right when it was added: the policy sees the very address that is dialled.</summary>
    internal bool TryNext(out IPAddress address)
    {
        bool v6 = _v4.Count == 0 || (_v6.Count > 0 && _last == AddressFamily.InterNetwork);
        if ((v6 ? _v6 : _v4).TryDequeue(out address!))
        {
            _last = address.AddressFamily;
            return true;
        }

        return false;
    }
}
