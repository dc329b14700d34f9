using System.Net;
using System.Net.Sockets;

namespace Aggregator.Vps.Egress;

/// <summary>Names to addresses, one family at a time (RFC 8305 section 3 asks for both at once). A seam: the host's resolver.</summary>
internal interface INameResolver
{
    Task<NameAnswer> ResolveAsync(string name, AddressFamily family);
}

internal enum NameStatus
{
    Found,

    /// <summary>There is no such name, or it has no address of this family.</summary>
    NotFound,

    /// <summary>No answer in time, or the resolver failed: trying again may help.</summary>
    NoAnswer,

    /// <summary>Too many questions wait already.</summary>
    Busy,
}

/// <param name="Addresses">In the resolver's order (RFC 6724).</param>
internal readonly record struct NameAnswer(NameStatus Status, IReadOnlyList<IPAddress> Addresses);

/// <summary>
/// The host's own resolver (getaddrinfo: hosts file, nsswitch, resolv.conf). It blocks its thread, up to ten seconds with a dead name server,
/// so it runs on threads of its own and never on those that move bytes. Answers are kept for a few seconds, less than any sensible TTL,
/// so that many flows to one name are one question.
/// </summary>
internal sealed class NameResolver(TimeProvider time) : INameResolver
{
    /// <summary>Questions under way at once; each is a thread with a small stack.</summary>
    internal const int MaxThreads = 32;

    /// <summary>Questions that wait for a thread.</summary>
    internal const int MaxWaiting = 4096;

    internal const int MaxKept = 1024;

    private const int StackBytes = 256 * 1024;
    private static readonly TimeSpan KeepAnswer = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan KeepFailure = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan IdleThread = TimeSpan.FromSeconds(10);

    private readonly object _lock = new();
    private readonly Dictionary<Question, Entry> _known = [];
    private readonly Queue<Entry> _waiting = new();
    private int _threads;
    private int _idle;

    public Task<NameAnswer> ResolveAsync(string name, AddressFamily family)
    {
        var question = new Question(name.ToLowerInvariant(), family);
        Entry entry;
        lock (_lock)
        {
            if (_known.TryGetValue(question, out var known) && !known.IsStale(time))
            {
                return known.Answer.Task;
            }

            if (_known.Count >= MaxKept)
            {
                DropStale();
            }

            if (_waiting.Count >= MaxWaiting)
            {
                return Task.FromResult(new NameAnswer(NameStatus.Busy, []));
            }

            entry = new Entry(question);
            _waiting.Enqueue(entry);
            if (_known.Count < MaxKept)
            {
                _known[question] = entry;
            }

            if (_waiting.Count > _idle && _threads < MaxThreads)
            {
                _threads++;
                new Thread(Work, StackBytes) { IsBackground = true, Name = "resolver" }.Start();
            }
            else
            {
                Monitor.Pulse(_lock);
            }
        }

        return entry.Answer.Task;
    }

    private void DropStale()
    {
        foreach (var (question, entry) in _known.ToArray())
        {
            if (entry.IsStale(time))
            {
                _known.Remove(question);
            }
        }
    }

    private void Work()
    {
        while (true)
        {
            Entry? entry;
            lock (_lock)
            {
                while (!_waiting.TryDequeue(out entry))
                {
                    _idle++;
                    bool pulsed = Monitor.Wait(_lock, IdleThread);
                    _idle--;
                    if (!pulsed && _waiting.Count == 0)
                    {
                        _threads--;
                        return;
                    }
                }
            }

            var answer = Ask(entry.Question);
            entry.Keep(time.GetTimestamp(), answer.Status is NameStatus.Found ? KeepAnswer : KeepFailure);
            entry.Answer.SetResult(answer);
        }
    }

    private static NameAnswer Ask(Question question)
    {
        try
        {
            var addresses = Dns.GetHostAddresses(question.Name, question.Family);
            return new NameAnswer(addresses.Length > 0 ? NameStatus.Found : NameStatus.NotFound, addresses);
        }
        catch (SocketException e)
        {
            return new NameAnswer(
                e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData ? NameStatus.NotFound : NameStatus.NoAnswer, []);
        }
        catch (ArgumentException)
        {
            // Not a name that a resolver takes (a label too long, an address of the other family).
            return new NameAnswer(NameStatus.NotFound, []);
        }
    }

    private readonly record struct Question(string Name, AddressFamily Family);

    private sealed class Entry(Question question)
    {
        private long _kept;
        private long _keepTicks = -1;

        internal Question Question { get; } = question;

        internal TaskCompletionSource<NameAnswer> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal void Keep(long now, TimeSpan period)
        {
            Volatile.Write(ref _kept, now);
            Volatile.Write(ref _keepTicks, period.Ticks);
        }

        /// <summary>Never while it is under way.</summary>
        internal bool IsStale(TimeProvider time)
        {
            long ticks = Volatile.Read(ref _keepTicks);
            return ticks >= 0 && time.GetElapsedTime(Volatile.Read(ref _kept)).Ticks >= ticks;
        }
    }
}
