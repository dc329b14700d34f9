namespace Aggregator.Gateway.Roles;

/// <summary>
/// Decides whether the active links are full, from what they move and how long their round trips are. A line's rate is what it was seen to
/// move; a line is full when it moves nearly that much and its queue is filling, or when it moves nearly what its cap allows. Where no queue tells (a
/// carrier that keeps queues short), lines that stay at their most are tried: the backups help for some seconds, and go on if that brought
/// more. Knows no clock: it is told, about once a second.
/// </summary>
internal sealed class Fullness
{
    /// <summary>Of the most that a direction was seen to move.</summary>
    private const double FullPart = 0.85;

    /// <summary>The backup stays until the active ones alone could carry all of it with room to spare.</summary>
    private const double EmptyPart = 0.6;

    /// <summary>A burst's end comes by itself.</summary>
    private const int LooksToFull = 2;

    /// <summary>So that the next file of many does not begin anew.</summary>
    private const int LooksToEmpty = 10;

    /// <summary>Below, nobody waits for more.</summary>
    private const double LeastBytesPerSecond = 60_000;

    /// <summary>What was seen long ago counts less: half in about ten minutes of looks.</summary>
    private const double Forgetting = 0.9988;

    /// <summary>At their most for so long (and the mean of the latest looks has settled), the lines may be full without a queue that tells, or the far end gives no more.</summary>
    private const int LooksToTry = 8;

    /// <summary>From the decision to what the backup then moves.</summary>
    private const int TrialLooks = 5;

    /// <summary>What a trial must bring.</summary>
    private const double Gain = 1.1;

    private const int FirstTrialPause = 60;
    private const int LongestTrialPause = 1800;

    private readonly Dictionary<string, LineView> _lines = new(StringComparer.Ordinal);
    private int _fullLooks;
    private int _emptyLooks;
    private int _steadyLooks;
    private int _trialLeft;
    private int _trialPause;
    private int _nextTrialPause = FirstTrialPause;
    private double _beforeTrial;
    private double _recent;

    internal bool IsFull { get; private set; }

    /// <param name="active">The links that are active without the backups' help.</param>
    /// <param name="helped">Bytes a second that backups moved for them, in the busier direction.</param>
    internal bool Look(IReadOnlyList<LineLoad> active, double helped)
    {
        bool full = active.Count > 0, steady = full;
        double moved = 0, room = 0;
        foreach (var line in active)
        {
            var view = _lines.GetValueOrDefault(line.Name) ?? new LineView();
            _lines[line.Name] = view;
            full &= view.IsFull(line);
            steady &= view.IsAtMost(line);
            moved += line.Busier;
            room += view.Room(line);
        }

        // Over some looks: bursts are no rate.
        _recent = ((2 * _recent) + moved + helped) / 3;
        _steadyLooks = steady ? _steadyLooks + 1 : 0;
        _trialPause = Math.Max(0, _trialPause - 1);
        if (_trialLeft > 0)
        {
            Try(active.Count > 0);
        }
        else if (IsFull)
        {
            _emptyLooks = moved + helped < EmptyPart * room ? _emptyLooks + 1 : 0;
            IsFull = active.Count > 0 && _emptyLooks < LooksToEmpty;
            _fullLooks = 0;
        }
        else
        {
            _fullLooks = full ? _fullLooks + 1 : 0;
            _emptyLooks = 0;
            IsFull = _fullLooks >= LooksToFull;
            if (!IsFull && _steadyLooks >= LooksToTry && _trialPause == 0)
            {
                (_trialLeft, _beforeTrial, IsFull) = (TrialLooks, _recent, true);
            }
        }

        return IsFull;
    }

    private void Try(bool any)
    {
        if (--_trialLeft > 0 && any)
        {
            return;
        }

        _trialLeft = 0;
        IsFull = any && _recent >= Gain * _beforeTrial;
        _nextTrialPause = IsFull ? FirstTrialPause : Math.Min(2 * _nextTrialPause, LongestTrialPause);
        _trialPause = IsFull ? 0 : _nextTrialPause / 2;
    }

    private sealed class LineView
    {
        private double _mostDown;
        private double _mostUp;
        private double? _leastRttMs;

        internal bool IsFull(LineLoad line)
        {
            _mostDown = Math.Max(_mostDown * Forgetting, line.DownBytesPerSecond);
            _mostUp = Math.Max(_mostUp * Forgetting, line.UpBytesPerSecond);
            _leastRttMs = line.RttMs is { } rtt ? Math.Min(rtt, (_leastRttMs ?? rtt) * 1.001) : _leastRttMs;
            return AtEnd(line.DownBytesPerSecond, _mostDown, line.CapDownBytesPerSecond, line.RttMs)
                || AtEnd(line.UpBytesPerSecond, _mostUp, line.CapUpBytesPerSecond, line.RttMs);
        }

        internal bool IsAtMost(LineLoad line) =>
            line.Busier >= LeastBytesPerSecond
            && (line.DownBytesPerSecond >= FullPart * _mostDown || line.UpBytesPerSecond >= FullPart * _mostUp) && line.Busier >= FullPart * Math.Max(_mostDown, _mostUp);

        internal double Room(LineLoad line) => line.DownBytesPerSecond >= line.UpBytesPerSecond
            ? Math.Min(_mostDown, line.CapDownBytesPerSecond ?? double.MaxValue)
            : Math.Min(_mostUp, line.CapUpBytesPerSecond ?? double.MaxValue);

        private bool AtEnd(double moved, double most, double? cap, double? rttMs)
        {
            if (moved < LeastBytesPerSecond)
            {
                return false;
            }

            // A queue that fills says it of any line; a cap says it of its own.
            bool queues = rttMs is { } now && _leastRttMs is { } least && now > (1.15 * least) + 2;
            return (cap is { } limit && moved >= FullPart * limit) || (moved >= FullPart * most && queues);
        }
    }
}

/// <summary>What a line moves at a moment, as the kernel counts it.</summary>
internal sealed record LineLoad(
    string Name, double DownBytesPerSecond, double UpBytesPerSecond, double? RttMs, double? CapDownBytesPerSecond, double? CapUpBytesPerSecond)
{
    internal double Busier => Math.Max(DownBytesPerSecond, UpBytesPerSecond);
}
