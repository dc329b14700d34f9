using System.Buffers.Binary;
using System.Security.Cryptography;
using Aggregator.Gateway.Carriers;
using Aggregator.Trunk;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Lanes;

/// <summary>
/// The gateway's one session at a time. Lanes are dialled for a <see cref="SessionTicket"/>; when the VPS turns out not to have that session
/// (it was started anew), or another VPS is paired, the session ends with its flows and the next lane begins another.
/// </summary>
internal sealed class TrunkSessions(TrunkBudget budget, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly List<Task> _ending = [];
    private volatile SessionTicket? _current;
    private bool _disposed;

    /// <summary>After a session began or ended. Handlers return at once.</summary>
    internal event Action? Changed;

    /// <summary>Null: none yet, or it has ended.</summary>
    internal TrunkSession? Current => _current is { Session.Ended.IsCompleted: false } ticket ? ticket.Session : null;

    /// <summary>The session for lanes to this VPS, made anew where there is none.</summary>
    internal SessionTicket For(VpsTarget target)
    {
        SessionTicket? old;
        SessionTicket ticket;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            old = _current;
            if (old is not null && old.Target == target && !old.Session.Ended.IsCompleted)
            {
                return old;
            }

            UInt128 id = BinaryPrimitives.ReadUInt128BigEndian(RandomNumberGenerator.GetBytes(16));
            ticket = new SessionTicket(
                new TrunkSession(TrunkRole.Gateway, id, string.Join(", ", target.Hosts), null, budget, new TrunkOptions(), time, logger), target);
            _current = ticket;
            End(old);
        }

        Changed?.Invoke();
        _ = TellEndAsync(ticket);
        return ticket;
    }

    /// <summary>The VPS does not have it (any more).</summary>
    internal void Lost(SessionTicket ticket)
    {
        lock (_lock)
        {
            if (_current == ticket)
            {
                _current = null;
                End(ticket);
            }
        }

        Changed?.Invoke();
    }

    /// <summary>Somebody at the VPS's address says that no daemon listens. With no lane left, the session has gone with the daemon, and its flows need not wait.</summary>
    internal void Refused()
    {
        if (_current is { IsKnown: true, Session.LaneCount: 0 } ticket)
        {
            Lost(ticket);
        }
    }

    /// <summary>Nobody is paired any more: nothing of the session may go on.</summary>
    internal void EndCurrent()
    {
        if (_current is { } ticket)
        {
            Lost(ticket);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task[] ending;
        lock (_lock)
        {
            _disposed = true;
            End(_current);
            _current = null;
            ending = [.. _ending];
        }

        await Task.WhenAll(ending);
    }

    /// <summary>With the lock held.</summary>
    private void End(SessionTicket? ticket)
    {
        if (ticket is not null)
        {
            _ending.RemoveAll(t => t.IsCompletedSuccessfully);
            _ending.Add(Task.Run(async () => await ticket.Session.DisposeAsync()));
        }
    }

    private async Task TellEndAsync(SessionTicket ticket)
    {
        TrunkEnd end = await ticket.Session.Ended;
        logger.SessionEnded(end.Reason.ToString(), end.Detail ?? "");
        Changed?.Invoke();
    }
}

/// <summary>A session, and what its lanes' hellos need.</summary>
internal sealed class SessionTicket(TrunkSession session, VpsTarget target)
{
    private uint _lastLane;
    private ulong _instance;

    internal TrunkSession Session { get; } = session;

    internal VpsTarget Target { get; } = target;

    /// <summary>A lane was accepted: the VPS has the session.</summary>
    internal bool IsKnown => Volatile.Read(ref _instance) != 0;

    /// <summary>Never the same twice; the first is 1.</summary>
    internal uint NextLane() => Interlocked.Increment(ref _lastLane);

    /// <summary>False: this lane met another session than the others did; the VPS lost the first one in between.</summary>
    internal bool TryAccept(ulong instance) => Interlocked.CompareExchange(ref _instance, instance, 0) is var first && (first == 0 || first == instance);
}
