using System.Net;
using System.Net.Sockets;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// The addresses of a VPS's hosts: literals as they are, names resolved and kept for <see cref="CarrierLimits.NameLifetime"/>.
/// When resolving fails, what was last known goes on being used: often the resolver is what is down. And when it says something else than before
/// (a portal's resolver gives its own address for every name; or the VPS has moved), the address at which the VPS last proved its key stays
/// first: nobody but it can. Only when it cannot be reached do the two take turns, so that either is found.
/// </summary>
/// <param name="lookUp">The host's resolver; throws SocketException.</param>
/// <param name="memory">What a run before this one found out; null: nothing.</param>
internal sealed class VpsNames(CarrierLimits limits, TimeProvider time, Func<string, Task<IPAddress[]>> lookUp, IVpsMemory? memory = null)
{
    /// <summary>Long enough for links to be probed at an address and for a few tries there.</summary>
    internal static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private VpsTarget? _target;
    private IPAddress[] _known = [];
    private long _resolvedAt;
    private Task<IPAddress[]>? _resolving;
    private IPAddress? _proven;
    private bool _provenLast;
    private long? _turnBegan;

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
                (_proven, _provenLast, _turnBegan) = (memory?.Recall(target), false, null);
            }
            if (_known.Length > 0 && time.GetElapsedTime(_resolvedAt) < limits.NameLifetime)
            {
                return WithProven(_known);
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
            found = Equals(_target, target) ? WithProven(found) : found;
        }
        return found.Length > 0 ? found : throw new IOException($"no address is known for {string.Join(", ", target.Hosts)}");
    }

    /// <summary>Whoever answered at this address has the paired key.</summary>
    internal void Proven(VpsTarget target, IPAddress address)
    {
        lock (_lock)
        {
            if (!Equals(_target, target))
            {
                return;
            }

            (_proven, _provenLast, _turnBegan) = (address, false, null);
        }

        memory?.Remember(target, address);
    }

    /// <summary>It was not reached at any of its addresses, or over no link.</summary>
    internal void NotReached()
    {
        lock (_lock)
        {
            _turnBegan ??= time.GetTimestamp();
            if (time.GetElapsedTime(_turnBegan.Value) >= Turn)
            {
                (_provenLast, _turnBegan) = (!_provenLast, time.GetTimestamp());
            }
        }
    }

    /// <summary>As the resolver has them, where the proven one is among them.</summary>
    private IPAddress[] WithProven(IPAddress[] found) =>
        _proven is not { } proven || found.Contains(proven) ? found : _provenLast ? [.. found, proven] : [proven, .. found];

    private async Task<IPAddress[]> ResolveAllAsync(VpsTarget target)
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
                all.AddRange(await lookUp(host));
            }
            catch (SocketException)
            {
                // The other hosts may do; that none does is told by the caller.
            }
        }
        return [.. all.Distinct()];
    }
}
