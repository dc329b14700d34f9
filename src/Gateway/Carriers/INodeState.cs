namespace Aggregator.Gateway.Carriers;

/// <summary>Whether the VPS is there, as the control session sees it. Implemented by the node's room; read from any thread.</summary>
internal interface INodeState
{
    NodeReachability Reachability { get; }

    /// <summary>What data connections without cipher need; null while not connected, or where the VPS does not allow them.</summary>
    PlainSession? Plain => null;

    /// <summary>After every change of <see cref="Reachability"/>. Handlers return at once.</summary>
    event Action? Changed;
}

/// <summary>Names as in `status --json`, in lower case.</summary>
internal enum NodeReachability
{
    /// <summary>There is no node to reach. Flows fail at once.</summary>
    Unpaired,

    /// <summary>Nothing known yet, or trying again: flows wait for a connection, within the pool's limits.</summary>
    Connecting,

    Connected,

    /// <summary>Tried and not reached: flows fail at once, nothing is dialled.</summary>
    Unreachable,
}
