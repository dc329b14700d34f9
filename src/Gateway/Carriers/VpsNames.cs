using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// The addresses of a VPS's hosts: literals as they are, names resolved and kept for <see cref="CarrierLimits.NameLifetime"/>.
/// When resolving fails, what was last known goes on being used: often the resolver is what is down.
/// </summary>
internal sealed class VpsNames(CarrierLimits limits, TimeProvider time)
{
    private readonly Lock _lock = new();
    private VpsTarget? _target;
    private IPAddress[] _known = [];
    private long _resolvedAt;
    private Task<IPAddress[]>? _resolving;

    /// <summary>Best first, without doubles. Callers at the same moment share one look-up.</summary>
    /// <exception cref="IOException">No host of the VPS has an address that is known.</exception>
    internal async ValueTask<IPAddress[]> ResolveAsync(VpsTarget target, CancellationToken cancellationToken)
    {
        Task<IPAddress[]> resolving;
        lock (_lock)
        {
            if (!Equals(_target, target))
            {
                _target = target;
                _known = [];
                _resolving = null;
            }
            if (_known.Length > 0 && time.GetElapsedTime(_resolvedAt) < limits.NameLifetime)
            {
                return _known;
            }
            if (_resolving is not { IsCompleted: false })
            {
                // Not with the caller's token: the answer is for the others too.
                _resolving = ResolveAllAsync(target);
            }
            resolving = _resolving;
        }
        IPAddress[] found = await resolving.WaitAsync(cancellationToken);
        lock (_lock)
        {
            if (found.Length > 0 && Equals(_target, target))
            {
                _known = found;
                _resolvedAt = time.GetTimestamp();
            }
            else if (Equals(_target, target))
            {
                found = _known;
            }
        }
        return found.Length > 0 ? found : throw new IOException($"no address is known for {string.Join(", ", target.Hosts)}");
    }

    private static async Task<IPAddress[]> ResolveAllAsync(VpsTarget target)
    {
        var all = new List<IPAddress>();
        foreach (string host in target.Hosts)
        {
            if (IPAddress.TryParse(host.AsSpan().Trim("[]"), out IPAddress? literal))
            {
                all.Add(literal);
                continue;
            }
            try
            {
                all.AddRange(await Dns.GetHostAddressesAsync(host));
            }
            catch (SocketException)
            {
                // The other hosts may do; that none does is told by the caller.
            }
        }
        return [.. all.Distinct()];
    }
}
