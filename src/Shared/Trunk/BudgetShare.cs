namespace Aggregator.Trunk;

/// <summary>
/// What one session has of the daemon's <see cref="TrunkBudget"/>, and what it has to count as used. While there is enough for all, that is what
/// all have together; when others have more than their part, each session still has its own part (the whole divided by the number of sessions):
/// a gateway whose readers sleep, or that acknowledges nothing, costs the others no window and no stream.
/// For sending all sessions together may so hold up to twice the limit, for receiving up to <see cref="TrunkBudget.HardResetBytes"/>. Safe for many threads.
/// </summary>
internal sealed class BudgetShare(TrunkBudget budget)
{
    private long _receiveBytes;
    private long _promisedBytes;
    private long _sendBytes;
    private long _beyondBytes;

    internal TrunkBudget Budget => budget;

    /// <summary>Received and unread, as this session counts it.</summary>
    internal long ReceiveBytes => Counted(budget.ReceiveBytes, ref _receiveBytes);

    /// <summary>Promised to peers, as this session counts it.</summary>
    internal long PromisedBytes => Counted(budget.PromisedBytes, ref _promisedBytes);

    /// <summary>Of that, what was promised although there was nothing left, as this session counts it.</summary>
    internal long BeyondBytes => Counted(budget.BeyondBytes, ref _beyondBytes);

    /// <summary>Under way, as this session counts it.</summary>
    internal long SendBytes => Counted(budget.SendBytes, ref _sendBytes);

    /// <summary>
    /// The memory for what is unread is used up, and a stream of this session has to go: it has more than its part, as at least one session has then;
    /// or whoever has did not see to it in time.
    /// </summary>
    internal bool MustReset => budget.ReceiveBytes is var all && all > budget.ResetBytes
        && (ReceiveBytes > budget.ResetBytes || all > budget.HardResetBytes);

    internal void AddReceived(long bytes)
    {
        Interlocked.Add(ref _receiveBytes, bytes);
        budget.AddReceived(bytes);
    }

    internal void AddPromised(long bytes)
    {
        Interlocked.Add(ref _promisedBytes, bytes);
        budget.AddPromised(bytes);
    }

    internal void AddBeyond(long bytes)
    {
        Interlocked.Add(ref _beyondBytes, bytes);
        budget.AddBeyond(bytes);
    }

    internal void AddSent(long bytes)
    {
        Interlocked.Add(ref _sendBytes, bytes);
        budget.AddSent(bytes);
    }

    private long Counted(long all, ref long own) => Math.Min(all, Interlocked.Read(ref own) * budget.Sessions);
}
