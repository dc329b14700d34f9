namespace Aggregator.Gateway.Node;

/// <summary>
/// How long to wait before the next try to reach the VPS: short at first, and never so long that a VPS that has come
/// back is noticed late. A try costs a few packets, so a second between tries harms nobody.
/// </summary>
internal sealed class ReconnectDelay
{
    internal static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);

    /// <summary>A restarted VPS must be found within two seconds of its return; a refused try answers within one round trip.</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(800);

    private TimeSpan _next = First;

    internal TimeSpan Next()
    {
        TimeSpan current = _next;
        _next = current * 2 < Longest ? current * 2 : Longest;
        return current;
    }

    internal void Reset() => _next = First;
}
