using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Gateway.Carriers;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Grpc.Net.Client;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Keeps the control session with the paired VPS up for as long as the daemon runs, and publishes where it stands.
/// Readers see whole <see cref="NodePicture"/>s and take no lock.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2213", Justification = "Each session disposes of its own source.")]
internal sealed class NodeConnection(
    INodeDialer dialer,
    Func<PairedNode?> loadNode,
    string version,
    TimeProvider time,
    ILogger<NodeConnection> log) : BackgroundService, INodeState
{
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly Lock _lock = new();
    private PairedNode? _prepared;
    private CancellationTokenSource? _session;
    private bool _reloading;
    private volatile NodePicture _picture = NodePicture.Unpaired;
    private long _roundTripTicks = -1;

    /// <summary>A timestamp; 0: never.</summary>
    private long _lastContact;

    /// <summary>What the VPS tells of its host.</summary>
    internal NodeHealth Health { get; } = new(time, log);

    /// <summary>Further calls beside each control session; added before the start. Each ends by its token and never throws.</summary>
    internal IList<Func<GrpcChannel, CancellationToken, Task>> Beside { get; } = [];

    /// <summary>Raised after each new picture; handlers return at once.</summary>
    public event Action? Changed;

    internal NodePicture Picture => _picture;

    /// <summary>Of the last answered ping over the control connection; null while not connected and until one was answered.</summary>
    internal TimeSpan? RoundTrip => Volatile.Read(ref _roundTripTicks) is >= 0 and var ticks ? new TimeSpan(ticks) : null;

    /// <summary>Since the VPS last answered on the control session; null: not since the daemon started.</summary>
    internal TimeSpan? SinceContact => Volatile.Read(ref _lastContact) is not 0 and var at ? time.GetElapsedTime(at) : null;

    /// <summary>The VPS that is paired; null when none is.</summary>
    internal PairedNode? Node { get; private set; }

    public NodeReachability Reachability => _picture.Reachability;

    public PlainSession? Plain => _picture.Plain;

    /// <summary>The same, already before the start: for those who only want to know where the VPS is. Carriers dial it when the host is prepared.</summary>
    internal PairedNode? Known => Node ?? _prepared;

    /// <summary>Reads the pairing for <see cref="Known"/>.</summary>
    internal void Prepare() => _prepared = Load();

    /// <summary>Reads the pairing anew and connects again with it.</summary>
    internal void Reload()
    {
        lock (_lock)
        {
            _reloading = true;
            Wake();
            _session?.Cancel();
        }
    }

    /// <summary>Ends the wait before the next try: something changed (a link came up), so that it may succeed now.</summary>
    internal void TryNow()
    {
        lock (_lock)
        {
            if (_session is null)
            {
                Wake();
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var delay = new ReconnectDelay();
        while (!stoppingToken.IsCancellationRequested)
        {
            lock (_lock)
            {
                _reloading = false;
            }

            PairedNode? node = Load();
            (Node, _prepared) = (node, null);
            if (node is null)
            {
                Publish(NodePicture.Unpaired);
                await _wake.WaitAsync(stoppingToken);
                continue;
            }

            if (_picture.Reachability == NodeReachability.Unpaired || _picture.Address != node.Address)
            {
                Publish(new NodePicture(NodeReachability.Connecting, node.Address, node.GatewayName));
            }

            if (await RunSessionAsync(node, stoppingToken))
            {
                delay.Reset();
            }

            await _wake.WaitAsync(delay.Next(), stoppingToken);
        }
    }

    /// <returns>Whether there was a session at all.</returns>
    private async Task<bool> RunSessionAsync(PairedNode node, CancellationToken stoppingToken)
    {
        bool connected = false;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        lock (_lock)
        {
            if (_reloading)
            {
                return false;
            }

            _session = ending;
        }

        string reason;
        try
        {
            var session = new ControlSession(token => dialer.DialAsync(node, token), time, [Health.RunAsync, .. Beside]);
            reason = await session.RunAsync(
                version,
                welcome =>
                {
                    connected = true;
                    Volatile.Write(ref _lastContact, time.GetTimestamp());
                    Publish(Connected(node, welcome));
                    log.Connected(node.Address, welcome.Version);
                },
                rtt =>
                {
                    Volatile.Write(ref _roundTripTicks, rtt.Ticks);
                    Volatile.Write(ref _lastContact, time.GetTimestamp());
                },
                ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            reason = "the pairing changed";
        }
        catch (Exception e) when (e is IOException or SocketException or HttpRequestException or AuthenticationException)
        {
            reason = e.Message;
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            // Without this loop the gateway would never connect again.
            log.SessionFault(e);
            reason = e.Message;
        }
        finally
        {
            lock (_lock)
            {
                _session = null;
            }

            Volatile.Write(ref _roundTripTicks, -1);
        }

        stoppingToken.ThrowIfCancellationRequested();
        if (connected || _picture.Reason != reason)
        {
            log.Unreachable(node.Address, reason);
        }

        // A session that broke may be back at once: only a try that failed says that the VPS cannot be reached.
        Publish(new NodePicture(
            connected ? NodeReachability.Connecting : NodeReachability.Unreachable, node.Address, node.GatewayName, Reason: reason));
        return connected;
    }

    private static NodePicture Connected(PairedNode node, Welcome welcome) => new(
        NodeReachability.Connected,
        node.Address,
        node.GatewayName,
        Version: welcome.Version,
        Plain: welcome.SessionId.IsEmpty ? null : new PlainSession(welcome.SessionId.Memory, welcome.PlainKey.Memory));

    private PairedNode? Load()
    {
        try
        {
            return loadNode();
        }
        catch (StateException e)
        {
            // A damaged pairing is said in the log and waits for a new `pair`.
            log.PairingUnreadable(e.Message);
            return null;
        }
    }

    private void Publish(NodePicture picture)
    {
        if (_picture != picture)
        {
            _picture = picture;
            Changed?.Invoke();
        }
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0)
        {
            _wake.Release();
        }
    }

    public override void Dispose()
    {
        _wake.Dispose();
        base.Dispose();
    }
}
