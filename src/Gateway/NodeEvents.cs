using Aggregator.Gateway.Carriers;
using Aggregator.Gateway.Direct;
using Aggregator.Gateway.Events;
using Aggregator.Gateway.Node;

namespace Aggregator.Gateway;

/// <summary>Tells the event log of the VPS coming and going and of direct traffic beginning and ending.</summary>
internal sealed class NodeEvents(NodeConnection node, DirectSwitch leaving, EventLog events)
{
    private readonly Lock _lock = new();
    private bool? _connected;
    private bool _direct;

    internal void Take()
    {
        lock (_lock)
        {
            var picture = node.Picture;
            bool connected = picture.Reachability == NodeReachability.Connected;
            // Before the first answer there is nothing to have lost.
            if (connected != (_connected ?? false) || (_connected is null && picture.Reachability == NodeReachability.Unreachable))
            {
                _connected = connected;
                events.Add(connected ? EventAction.VpsConnected : EventAction.VpsLost, null, null, connected ? picture.Address : $"{picture.Address}: {picture.Reason}");
            }

            var state = leaving.State;
            if (state.IsDirect != _direct)
            {
                _direct = state.IsDirect;
                events.Add(_direct ? EventAction.DirectOn : EventAction.DirectOff, null, null, state.Reason);
            }
        }
    }
}
