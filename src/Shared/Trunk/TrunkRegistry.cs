using System.Security.Cryptography;
using Aggregator.Flows;
using Aggregator.Identity;

namespace Aggregator.Trunk;

/// <summary>
/// The VPS's sessions, each bound to the gateway that proved its key when it made it. Decides about offers: lanes for a session of another
/// gateway, replayed offers and too many of anything are refused. Safe for many threads.
/// </summary>
internal sealed class TrunkRegistry
{
    /// <summary>A gateway has one session; a second one while the first waits for its lanes, and a few more while restarts follow each other.</summary>
    internal const int MaxSessionsOfGateway = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, Entry> _sessions = [];

    /// <summary>Sessions at this moment, in no order.</summary>
    internal TrunkSession[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _sessions.Values.Select(e => e.Session)];
        }
    }

    /// <summary>Decides about an offer, and makes the session where the offer begins one. It leaves the registry when it ends.</summary>
    /// <param name="gateway">Who proved to be at the other end of the connection.</param>
    /// <param name="offer">What it asks for.</param>
    /// <param name="create">Makes the session with this id; null when there is no room for one. Called under the registry's lock.</param>
    internal LaneAdmission Admit(KeyPin gateway, in LaneOffer offer, Func<UInt128, TrunkSession?> create)
    {
        lock (_lock)
        {
            if (!_sessions.TryGetValue(offer.SessionId, out var entry))
            {
                if (offer.JoinOnly)
                {
                    return Refused(offer, LaneAnswerStatus.UnknownSession);
                }

                if (_sessions.Values.Count(e => e.Gateway == gateway) >= MaxSessionsOfGateway || create(offer.SessionId) is not { } session)
                {
                    return Refused(offer, LaneAnswerStatus.Busy);
                }

                entry = new Entry(gateway, session, new ReplayWindow(), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1);
                _sessions.Add(offer.SessionId, entry);
                _ = RemoveAtEndAsync(offer.SessionId, entry);
            }
            else if (entry.Gateway != gateway)
            {
                // As if there were none: who does not own it shall not learn that it exists.
                return Refused(offer, LaneAnswerStatus.UnknownSession);
            }

            if (!entry.Lanes.TryAccept(offer.LaneId))
            {
                return Refused(offer, LaneAnswerStatus.Replayed);
            }

            return entry.Session.CanAddLane
                ? new LaneAdmission(new LaneAnswer(LaneAnswerStatus.Accepted, offer.Nonce, entry.Instance), entry.Session)
                : Refused(offer, LaneAnswerStatus.Busy);
        }
    }

    private static LaneAdmission Refused(in LaneOffer offer, LaneAnswerStatus status) => new(new LaneAnswer(status, offer.Nonce, 0), null);

    private async Task RemoveAtEndAsync(UInt128 id, Entry entry)
    {
        await entry.Session.Ended;
        lock (_lock)
        {
            _sessions.Remove(id);
        }
    }

    private sealed record Entry(KeyPin Gateway, TrunkSession Session, ReplayWindow Lanes, ulong Instance);
}

/// <param name="Answer">To be sent.</param>
/// <param name="Session">Where the connection becomes a lane when the answer is out; null: end the connection.</param>
internal readonly record struct LaneAdmission(LaneAnswer Answer, TrunkSession? Session);
