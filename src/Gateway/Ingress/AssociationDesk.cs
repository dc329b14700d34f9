using System.Net;

namespace Aggregator.Gateway.Ingress;

/// <summary>The associations under way: who may have another.</summary>
internal sealed class AssociationDesk(AssociationLimits limits)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, int> _clients = [];
    private int _all;

    internal AssociationLimits Limits => limits;

    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _all;
            }
        }
    }

    /// <summary>False: there are too many, of this client or of all.</summary>
    internal bool TryEnter(IPAddress client)
    {
        lock (_lock)
        {
            int own = _clients.GetValueOrDefault(client);
            if (_all >= limits.MaxAssociations || own >= limits.MaxOfClient)
            {
                return false;
            }

            _all++;
            _clients[client] = own + 1;
            return true;
        }
    }

    internal void Leave(IPAddress client)
    {
        lock (_lock)
        {
            _all--;
            if (--_clients[client] == 0)
            {
                _clients.Remove(client);
            }
        }
    }
}
