using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Links;

/// <summary>Keeps <see cref="LinkMemory"/> on the disk as it changes. What could not be written (a full disk) is tried again. Not for two threads at a time.</summary>
internal sealed class LinkMemoryFile(string stateDirectory, TimeProvider time, ILogger logger)
{
    /// <summary>Whoever makes room waits no longer for it; and a disk that stays full is asked no oftener.</summary>
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(10);

    private LinkMemory _saved = LinkMemory.Empty;
    private LinkMemory? _failed;
    private long _failedAt;

    /// <summary>Why what is remembered now would not outlive a restart; null: it would.</summary>
    internal string? Problem { get; private set; }

    internal LinkMemory Load()
    {
        _saved = LinkMemory.Load(stateDirectory, out string? problem);
        if (problem is not null)
        {
            logger.MemoryUnreadable(problem);
        }

        return _saved;
    }

    internal void Keep(LinkMemory memory)
    {
        if (memory.SameAs(_saved))
        {
            Problem = null;
            return;
        }

        if (_failed?.SameAs(memory) == true && time.GetElapsedTime(_failedAt) < TryAgain)
        {
            return;
        }

        try
        {
            memory.Save(stateDirectory);
            (_saved, _failed, Problem) = (memory, null, null);
        }
        catch (StateException e)
        {
            if (Problem != e.Message)
            {
                logger.MemoryNotWritten(e.Message);
            }

            (_failed, _failedAt, Problem) = (memory, time.GetTimestamp(), e.Message);
        }
    }
}
