namespace Aggregator.Gateway.Links;

/// <summary>
/// Tells from the progress of one WAN's connections when its traffic has fallen silent. Knows no socket: it is told what each look saw. One user.
/// </summary>
/// <param name="onlyUnacknowledged">Silence counts only while something waits for an acknowledgement, however busy the line was.</param>
internal sealed class SilenceWatch(bool onlyUnacknowledged = false)
{
    /// <summary>
    /// Traffic that goes on has something to show in any such time: sixteen packets at 1 Mbit/s, and more than the time in which a radio line
    /// gathers what it sends.
    /// </summary>
    internal static readonly TimeSpan LeastSilence = TimeSpan.FromMilliseconds(150);

    /// <summary>On a long path a window is sent in one go, and then nothing comes for a round trip: what was usual lately is no silence.</summary>
    private const double UsualPauses = 2;

    private static readonly TimeSpan MostSilence = TimeSpan.FromMilliseconds(600);

    /// <summary>Less in half a second is no traffic that has to go on: it may just be over.</summary>
    private const long BusyBytes = 16 * 1024;

    private static readonly TimeSpan BusyWithin = TimeSpan.FromMilliseconds(500);

    private TimeSpan? _lastProgress;
    private TimeSpan? _expectedSince;
    private TimeSpan _longestPause;
    private TimeSpan _longestBefore;
    private TimeSpan _windowBegan;
    private TimeSpan _lastTold;
    private long _windowBytes;
    private long _bytesBefore;
    private bool _told;

    /// <summary>It was told, and nothing has moved since.</summary>
    internal bool IsSilent => _told;

    /// <param name="now">Of a clock that only goes forward.</param>
    /// <param name="progressBytes">Acknowledged or received anew since the last look.</param>
    /// <param name="unacknowledged">Something that was sent waits for an acknowledgement.</param>
    /// <returns>What is to be told now; null: nothing new.</returns>
    internal TrafficSign? Look(TimeSpan now, long progressBytes, bool unacknowledged)
    {
        if (now - _windowBegan >= BusyWithin)
        {
            (_bytesBefore, _windowBytes, _windowBegan) = (_windowBytes, 0, now);
            (_longestBefore, _longestPause) = (_longestPause, TimeSpan.Zero);
        }

        _windowBytes += progressBytes;
        if (progressBytes > 0)
        {
            // A rest in which nothing was to come is no pause.
            TimeSpan pause = _expectedSince is null ? TimeSpan.Zero : now - Began(now);
            _longestPause = pause > _longestPause ? pause : _longestPause;
            _lastProgress = now;
            _expectedSince ??= now;
            bool was = _told;
            _told = false;
            if (was || now - _lastTold >= LeastSilence)
            {
                _lastTold = now;
                return TrafficSign.Moves;
            }

            return null;
        }

        bool expected = unacknowledged || (!onlyUnacknowledged && _windowBytes + _bytesBefore >= BusyBytes);
        // What is sent after a rest has its own time.
        _expectedSince = expected ? _expectedSince ?? now : null;
        if (_told || !expected || now - Began(now) < Patience)
        {
            return null;
        }

        _told = true;
        return TrafficSign.Silent;
    }

    /// <summary>Since when nothing came that should have.</summary>
    private TimeSpan Began(TimeSpan now) => _lastProgress is { } last && last > _expectedSince ? last : _expectedSince ?? now;

    private TimeSpan Patience
    {
        get
        {
            TimeSpan wanted = (_longestPause > _longestBefore ? _longestPause : _longestBefore) * UsualPauses;
            return wanted < LeastSilence ? LeastSilence : wanted > MostSilence ? MostSilence : wanted;
        }
    }
}
