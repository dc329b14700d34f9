namespace Aggregator.Gateway.Speed;

/// <summary>Numbers of the phases of a test, by which the VPS sums its connections.</summary>
internal sealed class PhaseNumbers
{
    private int _last;

    internal uint Next() => (uint)Interlocked.Increment(ref _last);
}
