using System.Collections.Immutable;
using Aggregator.Gateway.Carriers;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>A keeper for each WAN that there is; WANs come and go.</summary>
internal sealed class LaneSet : IAsyncDisposable
{
    private readonly IWanList _wans;
    private readonly INodeState _node;
    private readonly TrunkSessions _sessions;
    private readonly Func<string, LaneKeeper> _make;
    private readonly Lock _lock = new();
    private ImmutableDictionary<string, LaneKeeper> _keepers = ImmutableDictionary<string, LaneKeeper>.Empty;
    private ImmutableArray<Task> _ending = [];
    private bool _disposed;

    internal LaneSet(
        IWanList wans, INodeState node, TrunkSessions sessions, TrunkLaneDialer dialer, TrunkLimits limits, TimeProvider time, ILogger logger)
    {
        _wans = wans;
        _node = node;
        _sessions = sessions;
        _make = name =>
        {
            var keeper = new LaneKeeper(name, wans, dialer, limits, time, logger);
            keeper.Changed += () => Changed?.Invoke();
            return keeper;
        };
        _wans.Changed += Review;
        _node.Changed += Review;
        _sessions.Changed += WakeAll;
        Review();
    }

    /// <summary>After a lane came or went. Handlers return at once.</summary>
    internal event Action? Changed;

    /// <summary>By the WANs' names, in no order.</summary>
    internal ImmutableDictionary<string, LaneKeeper> Keepers => Volatile.Read(ref _keepers);

    public async ValueTask DisposeAsync()
    {
        ImmutableArray<Task> ending;
        lock (_lock)
        {
            _disposed = true;
            ending = _ending;
        }

        _wans.Changed -= Review;
        _node.Changed -= Review;
        _sessions.Changed -= WakeAll;
        await Task.WhenAll([.. ending, .. Keepers.Values.Select(k => k.DisposeAsync().AsTask())]);
    }

    private void Review()
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            string[] names = [.. _wans.Current.Select(w => w.Name)];
            foreach ((string name, LaneKeeper gone) in _keepers.Where(k => !names.Contains(k.Key)))
            {
                _keepers = _keepers.Remove(name);
                _ending = [.. _ending.Where(t => !t.IsCompletedSuccessfully), Task.Run(async () => await gone.DisposeAsync())];
            }

            foreach (string name in names.Where(n => !_keepers.ContainsKey(n)))
            {
                _keepers = _keepers.Add(name, _make(name));
            }
        }

        if (_node.Reachability == NodeReachability.Unpaired)
        {
            _sessions.EndCurrent();
        }

        WakeAll();
    }

    private void WakeAll()
    {
        foreach (LaneKeeper keeper in Keepers.Values)
        {
            keeper.Wake();
        }

        Changed?.Invoke();
    }
}
