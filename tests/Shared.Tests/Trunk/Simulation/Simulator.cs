namespace Aggregator.Shared.Tests.Trunk.Simulation;

/// <summary>Events in the order of their times (microseconds).</summary>
internal sealed class Simulator
{
    private readonly PriorityQueue<Action, (double At, long Number)> _events = new();
    private long _number;

    internal double Now { get; private set; } = 1;

    internal void At(double at, Action action) => _events.Enqueue(action, (Math.Max(at, Now), ++_number));

    internal void RunUntil(double end)
    {
        while (_events.TryPeek(out _, out var next) && next.At <= end)
        {
            var action = _events.Dequeue();
            Now = next.At;
            action();
        }

        Now = end;
    }
}
