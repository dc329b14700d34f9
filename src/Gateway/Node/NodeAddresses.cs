using System.Collections.Immutable;
using System.Net;
using Aggregator.Gateway.Carriers;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Tells the links' room where the VPS is (for probes and routes), and again when the pairing or the names' addresses change.
/// </summary>
internal sealed class NodeAddresses : IAsyncDisposable
{
    /// <summary>A VPS that moved is found within this time; with literals nothing is asked.</summary>
    private static readonly TimeSpan Refresh = TimeSpan.FromMinutes(1);

    /// <summary>While the VPS is not reached the order of its addresses may change at any time.</summary>
    private static readonly TimeSpan RefreshUnreached = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(2);

    private readonly NodeConnection _node;
    private readonly VpsConnector _connector;
    private readonly Action<ImmutableArray<IPEndPoint>> _found;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _changed = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _loop;
    private PairedNode? _seen;

    internal NodeAddresses(NodeConnection node, VpsConnector connector, Action<ImmutableArray<IPEndPoint>> found, TimeProvider time)
    {
        (_node, _connector, _found, _time) = (node, connector, found, time);
        _node.Changed += OnChanged;
        _loop = RunAsync();
    }

    /// <summary>Waits for the first look-up, but not for long: without a network there is no answer, and a start must not hang on it.</summary>
    internal async Task WaitForFirstAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        await Task.WhenAny(_first.Task, Task.Delay(atMost, _time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
    }

    public async ValueTask DisposeAsync()
    {
        _node.Changed -= OnChanged;
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
        _changed.Dispose();
    }

    private void OnChanged()
    {
        lock (_stop)
        {
            if (!Equals(_seen, _node.Known) && _changed.CurrentCount == 0)
            {
                _changed.Release();
            }
        }
    }

    private async Task RunAsync()
    {
        TimeSpan pause = TimeSpan.Zero;
        try
        {
            while (true)
            {
                await _changed.WaitAsync(pause, _stop.Token);
                PairedNode? node = _node.Known;
                _seen = node;
                pause = !await LookUpAsync(node) ? RetryAfterFailure
                    : node is not null && _node.Reachability != NodeReachability.Connected ? RefreshUnreached
                    : Refresh;
                _first.TrySetResult();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task<bool> LookUpAsync(PairedNode? node)
    {
        if (node is null)
        {
            _found([]);
            return true;
        }

        try
        {
            IPAddress[] addresses = await _connector.ResolveAsync(new VpsTarget(node.Hosts, node.Port, node.Pin), _stop.Token);
            _found([.. addresses.Select(a => new IPEndPoint(a, node.Port))]);
            return true;
        }
        catch (IOException)
        {
            // The connection's own tries say so to the user; what was known stays in use.
            return false;
        }
    }
}
