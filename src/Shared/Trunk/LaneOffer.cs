namespace Aggregator.Trunk;

/// <summary>The gateway's first message on a lane: which session, which lane.</summary>
/// <param name="SessionId">Random, made by the gateway for each session.</param>
/// <param name="LaneId">From 1 on, never twice in a session: an offer that comes twice is refused by it.</param>
/// <param name="Nonce">Random; the answer repeats it.</param>
/// <param name="JoinOnly">The session exists at the VPS as far as the gateway knows (a lane was accepted before): if it does not, that is an error and not a new session.</param>
/// <param name="Role">How the lane takes part at first.</param>
/// <param name="Link">The WAN's name, 1 to <see cref="LaneHello.MaxLinkBytes"/> bytes of UTF-8.</param>
internal readonly record struct LaneOffer(UInt128 SessionId, uint LaneId, ulong Nonce, bool JoinOnly, LaneRole Role, string Link);

/// <summary>What the VPS says to an offer. The numbers are those on the wire.</summary>
internal enum LaneAnswerStatus : byte
{
    Accepted = 0,

    /// <summary>There is no such session of this gateway. One of another gateway gets the same answer.</summary>
    UnknownSession = 1,

    /// <summary>Too many lanes or sessions, or no memory for another session.</summary>
    Busy = 2,

    /// <summary>The lane's number was used before.</summary>
    Replayed = 3,
}

/// <param name="Status">Whether the lane is part of the session now; else the VPS ends the connection.</param>
/// <param name="Nonce">The offer's.</param>
/// <param name="Instance">Random, made by the VPS for each session: all lanes of a session see the same one, or the VPS lost it in between. 0 unless accepted.</param>
internal readonly record struct LaneAnswer(LaneAnswerStatus Status, ulong Nonce, ulong Instance);
