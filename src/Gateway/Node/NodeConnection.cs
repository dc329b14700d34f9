using Aggregator.Protocol.V1;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Keeps the control session with the paired VPS up for as long as the daemon runs, and publishes where it stands.
/// Readers see whole <see cref="NodeState"/> pictures and take no lock.
/// </summary>
internal sealed class NodeConnection(
    INodeDialer dialer,
    Func<PairedNode?> loadNode,
    string version,
    TimeProvider time,
    ILogger<NodeConnection> log) : BackgroundService
{
    private readonly SemaphoreSlim _reload = new(0, 1);
    private CancellationTokenSource? _session;
    private volatile NodeState _state = NodeState.Unpaired;

    /// <summary>Raised after every change of <see cref="State"/> except a mere new round-trip time; handlers must be quick.</summary>
    internal event Action<NodeState>? Changed;

    internal NodeState State => _state;

    /// <summary>Reads the pairing anew and connects again with it.</summary>
    internal void Reload()
    {
        if (_reload.CurrentCount == 0)
        {
            try
            {
                _reload.Release();
            }
            catch (SemaphoreFullException)
            {
                // Another caller was quicker; one reload serves both.
            }
        }

        Interlocked.Exchange(ref _session, null)?.Cancel();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var delay = new ReconnectDelay();
        while (!stoppingToken.IsCancellationRequested)
        {
            PairedNode? node = LoadNode();
            dialer.Use(node);
            if (node is null)
            {
                Publish(NodeState.Unpaired);
                await _reload.WaitAsync(stoppingToken);
                continue;
            }

            if (_state.Connectivity == NodeConnectivity.Unpaired)
            {
                Publish(new NodeState(NodeConnectivity.Connecting, node.Endpoint, node.GatewayName));
            }

            bool wasConnected = await RunSessionAsync(node, stoppingToken);
            if (wasConnected)
            {
                delay.Reset();
            }

            // A reload ends the wait: the new pairing should not wait for the old one's back-off.
            await _reload.WaitAsync(delay.Next(), stoppingToken);
        }
    }

    private async Task<bool> RunSessionAsync(PairedNode node, CancellationToken stoppingToken)
    {
        bool connected = false;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        Interlocked.Exchange(ref _session, ending);
        string reason;
        try
        {
            var session = new ControlSession(dialer.DialControlAsync, time);
            reason = await session.RunAsync(
                version,
                welcome =>
                {
                    connected = true;
                    Publish(Connected(node, welcome));
                    NodeLog.Connected(log, node.Endpoint, welcome.Version);
                },
                rtt => _state = _state with { RoundTrip = rtt },
                ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            stoppingToken.ThrowIfCancellationRequested();
            reason = "the pairing changed";
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or HttpRequestException
            or System.Security.Authentication.AuthenticationException)
        {
            reason = e.Message;
        }
        finally
        {
            Interlocked.CompareExchange(ref _session, null, ending);
        }

        if (connected || _state.Reason != reason)
        {
            NodeLog.Unreachable(log, node.Endpoint, reason);
        }

        Publish(new NodeState(NodeConnectivity.Unreachable, node.Endpoint, node.GatewayName, Reason: reason));
        return connected;
    }

    private static NodeState Connected(PairedNode node, Welcome welcome) => new(
        NodeConnectivity.Connected,
        node.Endpoint,
        node.GatewayName,
        Version: welcome.Version,
        Session: new NodeSession(
            welcome.SessionId.Memory, welcome.PlainKey.Memory, welcome.FlowProtocol, welcome.MptcpEnabled));

    private PairedNode? LoadNode()
    {
        try
        {
            return loadNode();
        }
        catch (IOException e)
        {
            // A damaged pairing is said, in the log and in status, and waits for a new `pair`.
            NodeLog.PairingUnreadable(log, e.Message);
            return null;
        }
    }

    private void Publish(NodeState state)
    {
        NodeState before = _state;
        _state = state;
        if (before != state)
        {
            Changed?.Invoke(state);
        }
    }

    public override void Dispose()
    {
        _reload.Dispose();
        base.Dispose();
    }
}
