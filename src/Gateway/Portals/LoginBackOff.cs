namespace Aggregator.Gateway.Portals;

/// <summary>When a login may be tried again: at once the first time, then after growing pauses, and from the beginning again once a session held. Pure.</summary>
internal sealed class LoginBackOff
{
    internal static readonly TimeSpan First = TimeSpan.FromSeconds(10);
    internal static readonly TimeSpan Longest = TimeSpan.FromMinutes(15);

    /// <summary>A session that held for so long expired in the ordinary way.</summary>
    internal static readonly TimeSpan Held = TimeSpan.FromMinutes(5);

    private TimeSpan _pause = TimeSpan.Zero;
    private TimeSpan? _lastTry;
    private TimeSpan? _freeSince;

    /// <param name="now">Any clock that only goes forward.</param>
    internal bool IsDue(TimeSpan now) => _lastTry is not { } last || now - last >= _pause || (_freeSince is { } free && now - free >= Held);

    internal void Tried(TimeSpan now)
    {
        if (_freeSince is { } free && now - free >= Held)
        {
            _pause = TimeSpan.Zero;
        }

        _freeSince = null;
        _lastTry = now;
        _pause = _pause == TimeSpan.Zero ? First : _pause * 2 < Longest ? _pause * 2 : Longest;
    }

    /// <summary>There is no portal any more.</summary>
    internal void Free(TimeSpan now) => _freeSince ??= now;

}
