namespace Aggregator.Gateway.Resolver;

internal enum AnswerWay
{
    Vps,
    Direct,
    Split,
}

/// <summary>What became of the LAN's questions since the start. Safe for many threads.</summary>
internal sealed class ResolverCounts
{
    private readonly long[] _answered = new long[3];
    private long _failed;
    private long _dropped;
    private long _shared;
    private int _underWay;
    private volatile string? _problem;

    internal long Failures => Volatile.Read(ref _failed);

    /// <summary>Not answered, or refused at once: no question, too many, not from the LAN.</summary>
    internal long Refusals => Volatile.Read(ref _dropped);

    internal long SharedQuestions => Volatile.Read(ref _shared);

    /// <summary>Why the last question failed; null: the last one was answered.</summary>
    internal string? Problem => _problem;

    internal long Answers(AnswerWay way) => Volatile.Read(ref _answered[(int)way]);

    internal int Enter() => Interlocked.Increment(ref _underWay);

    internal void Leave() => Interlocked.Decrement(ref _underWay);

    internal void Answered(AnswerWay way)
    {
        Interlocked.Increment(ref _answered[(int)way]);
        _problem = null;
    }

    /// <returns>Whether it is another problem than the last question's.</returns>
    internal bool Failed(string problem)
    {
        Interlocked.Increment(ref _failed);
        bool isNew = _problem != problem;
        _problem = problem;
        return isNew;
    }

    internal void Dropped() => Interlocked.Increment(ref _dropped);

    internal void Shared() => Interlocked.Increment(ref _shared);
}
