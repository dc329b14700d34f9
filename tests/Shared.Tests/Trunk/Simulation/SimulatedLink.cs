namespace Aggregator.Shared.Tests.Trunk.Simulation;

/// <summary>A line, the same in both directions.</summary>
/// <param name="Mbps">Of the bottleneck.</param>
/// <param name="DelayMs">One way.</param>
/// <param name="QueueBytes">Before the bottleneck; what does not fit is dropped.</param>
/// <param name="Loss">Of each packet, by chance.</param>
/// <param name="JitterMs">Up to so much more delay; packets keep their order.</param>
internal sealed record LinkSpec(double Mbps, double DelayMs, int QueueBytes = 256 * 1024, double Loss = 0, double JitterMs = 0);

/// <summary>One direction of a line: a drop-tail queue, a bottleneck, delay, jitter and loss. Times in microseconds.</summary>
internal sealed class SimulatedLink(LinkSpec spec, Random random)
{
    private double _freeAt;
    private double _lastArrival;

    internal bool IsBlackHole { get; set; }

    internal LinkSpec Spec => spec;

    /// <summary>Sends a packet.</summary>
    /// <returns>When it arrives; null: it is lost.</returns>
    internal double? Send(double now, int bytes)
    {
        double perByte = 8 / spec.Mbps;
        if ((_freeAt - now) / perByte > spec.QueueBytes || IsBlackHole)
        {
            return null;
        }

        _freeAt = Math.Max(_freeAt, now) + (bytes * perByte);
        if (random.NextDouble() < spec.Loss)
        {
            return null;
        }

        double arrival = _freeAt + ((spec.DelayMs + (random.NextDouble() * spec.JitterMs)) * 1000);
        return _lastArrival = Math.Max(_lastArrival, arrival);
    }
}
