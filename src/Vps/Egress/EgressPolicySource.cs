using System.Net;
using System.Net.Sockets;
using Aggregator.Vps.Configuration;

namespace Aggregator.Vps.Egress;

/// <summary>The rules of the configuration in force.</summary>
internal sealed class EgressPolicySource(VpsConfigSource config, IOwnAddresses own)
{
    private volatile Made? _made;

    internal EgressPolicy Current
    {
        get
        {
            var current = config.Current;
            if (_made is not { } made || made.Of != current)
            {
                _made = made = new Made(current, new EgressPolicy(current.EgressAllow, new WithPublic(current, own)));
            }

            return made.Policy;
        }
    }

    private sealed record Made(VpsConfig Of, EgressPolicy Policy);

    /// <summary>Behind a cloud's one-to-one NAT no interface has the address that leads to this host.</summary>
    private sealed class WithPublic(VpsConfig config, IOwnAddresses own) : IOwnAddresses
    {
        private readonly HashSet<IPAddress> _public =
            [.. config.Public.Select(p => IPAddress.TryParse(p.Trim('[', ']'), out var address) ? address : IPAddress.None)];

        public bool Contains(IPAddress address) => _public.Contains(address) || own.Contains(address);

        public bool HasGlobal(AddressFamily family) => own.HasGlobal(family);
    }
}
