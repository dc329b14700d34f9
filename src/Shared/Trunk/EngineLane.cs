namespace Aggregator.Trunk;

/// <summary>A lane as the engine sees it: what is under way on it, and what it can do. Touched under the session's lock only.</summary>
internal sealed class EngineLane(uint id, LaneRole role, FrameParser parser)
{
    internal uint Id { get; } = id;

    internal LaneRole Role { get; set; } = role;

    /// <summary>The shell's object for this lane.</summary>
    internal object? Owner { get; set; }

    internal LaneEstimate Estimate { get; } = new();

    internal LaneWindow Window { get; } = new();

    /// <summary>At the last look it had all that it can take, and more waits. Read by the write loop without the lock.</summary>
    internal bool IsFull { get; set; }

    internal FrameParser Parser { get; } = parser;

    internal bool IsGone { get; set; }

    internal bool IsRetiring { get; set; }

    /// <summary>Since when nothing is heard of what it carries; null: all is well.</summary>
    internal long? StalledSinceUs { get; set; }

    /// <summary>The kernel has had no acknowledgement for what is on the wire for too long, although the trunk waits for nothing on it.</summary>
    internal bool IsQuiet { get; set; }

    internal LaneGuard Guard { get; } = new();

    /// <summary>What this lane alone has to send: control frames and second copies, in this order.</summary>
    internal Fifo<Outgoing> Urgent;

    /// <summary>Stream bytes in <see cref="Urgent"/>.</summary>
    internal long UrgentBytes { get; set; }

    /// <summary>How much later than expected its frames may come for the places that they are given.</summary>
    internal double SpareUs { get; set; }

    /// <summary>It repairs what it lost, and would not have anything more there in time: bulk goes without it until it has.</summary>
    internal bool IsTooLate { get; set; }

    /// <summary>What it may still carry for lanes that are late; grows with a part of its rate.</summary>
    internal double RescueTokens { get; set; }

    /// <summary>Counted frames that the peer has not acknowledged, oldest first.</summary>
    internal Fifo<SentFrame> Sent;

    /// <summary>Counted frames handed to the lane since it exists.</summary>
    internal long SentCount { get; set; }

    internal long AcknowledgedCount { get; set; }

    /// <summary>The frames before this one (by <see cref="SentCount"/>'s numbers) need no rescue any more.</summary>
    internal long SettledCount { get; set; }

    /// <summary>Up to here what it had under way went to others when it stalled.</summary>
    internal long GivenUpCount { get; set; }

    /// <summary>When an acknowledgement last told something new, or something was sent with nothing under way.</summary>
    internal long ProgressAtUs { get; set; }

    /// <summary>Not asked before this moment, unless something urgent comes up.</summary>
    internal long WakeAtUs { get; set; }

    /// <summary>Counted frames that came since the lane exists.</summary>
    internal long ReceivedCount { get; set; }

    /// <summary>When anything last came on it.</summary>
    internal long ReceivedAtUs { get; set; }

    internal long OutstandingBytes { get; set; }

    internal ulong? PingToAnswer { get; set; }

    internal long PingSentAtUs { get; set; }

    internal long PingUnansweredSinceUs { get; set; }

    internal bool PingDue { get; set; }

    internal long SentPayloadBytes { get; set; }

    internal long ReceivedPayloadBytes { get; set; }

    internal long AcknowledgedPayloadBytes { get; set; }

    internal long ResentBytes { get; set; }

    internal RateMeter SentRate { get; } = new();

    internal RateMeter ReceivedRate { get; } = new();

    /// <summary>Datagrams out of the read that is being taken apart.</summary>
    internal DatagramAssembly Datagrams { get; } = new();

    /// <summary>Whole frames with second copies of real-time datagrams.</summary>
    internal Fifo<(byte[] Buffer, int Length)> Copies;

    /// <summary>When it was last given something that it has not come back from writing; 0: it is not writing.</summary>
    internal long FilledAtUs { get; set; }

    internal long RetransmittedSeen { get; set; } = -1;

    /// <summary>When the kernel last sent something again.</summary>
    internal long LossSeenAtUs { get; set; } = long.MinValue / 2;

    /// <summary>Takes part at this moment, by its own state alone.</summary>
    internal bool IsWell => !IsGone && !IsRetiring && StalledSinceUs is null && !IsQuiet;
}

/// <summary>Something that one lane has to send.</summary>
/// <param name="Id">The stream's number, also when the stream is gone; a lane's number for a role.</param>
/// <param name="Start">Data: from this place in the stream; else the frame's value.</param>
/// <param name="End">Data: up to here.</param>
/// <param name="Code">The frame's flags, for those that have no other content.</param>
/// <param name="Stream">Null for frames without one.</param>
/// <param name="IsCopy">A control frame's second one. When its lane fails it goes on one other, not on two as the first does: else each lane that fails doubled what the others have.</param>
internal readonly record struct Outgoing(TrunkFrameType Type, uint Id, byte Code, long Start, long End, EngineStream? Stream, bool IsCopy = false);

/// <summary>A counted frame under way.</summary>
internal struct SentFrame
{
    internal Outgoing Content;
    internal long SentAtUs;

    /// <summary>The wait in our kernel that was expected.</summary>
    internal float QueueUs;

    /// <summary>When its acknowledgement was expected.</summary>
    internal long ExpectedAtUs;

    /// <summary>How much later it may come for the place in its stream that it was given.</summary>
    internal float SpareUs;

    /// <summary>It went again on another lane, or waits to.</summary>
    internal bool IsAgain;
}
