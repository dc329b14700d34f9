using Aggregator.Flows;

namespace Aggregator.Trunk;

/// <summary>
/// A stream's bytes in both directions. Places in the send direction count the end (FIN) as one more byte, so that it is delivered and
/// sent again like all others. Idle it holds no block. Touched under the session's lock only.
/// </summary>
internal sealed class EngineStream
{
    private BlockRun _send;
    private BlockRun _receive;

    internal EngineStream(uint id, FlowClass flowClass, BlockPool pool)
    {
        Id = id;
        FlowClass = flowClass;
        _send = new BlockRun(pool);
        _receive = new BlockRun(pool);
    }

    internal uint Id { get; }

    internal FlowClass FlowClass { get; set; }

    internal FlowTarget? Target { get; set; }

    /// <summary>The shell's object for this stream.</summary>
    internal object? Owner { get; set; }

    /// <summary>At the gateway: the answer came. At the VPS: the open came.</summary>
    internal bool IsOpen { get; set; }

    /// <summary>No part of the session any more: finished, refused, reset or lost with it.</summary>
    internal bool IsGone { get; set; }

    /// <summary>The answer that goes or came with REPLY.</summary>
    internal FlowReply Answer { get; set; }

    internal bool IsAnswered { get; set; }

    // Sending.

    /// <summary>Everything before it is at the peer.</summary>
    internal long DeliveredTo { get; private set; }

    /// <summary>Where the writer is.</summary>
    internal long WriteEnd { get; private set; }

    internal bool IsFinished { get; private set; }

    /// <summary>The place behind the last, the FIN included.</summary>
    internal long SendEnd => WriteEnd + (IsFinished ? 1 : 0);

    internal bool IsAllDelivered => IsFinished && DeliveredTo == SendEnd;

    /// <summary>How far the peer lets us write.</summary>
    internal long SendLimit { get; set; }

    /// <summary>At the peer, beyond <see cref="DeliveredTo"/>.</summary>
    internal IntervalSet Delivered;

    /// <summary>To be given to a lane: new, or lost with one.</summary>
    internal IntervalSet Waiting;

    internal bool IsInSendQueue { get; set; }

    /// <summary>What it may still send before it counts as bulk; grows with time.</summary>
    internal double QuickTokens { get; set; }

    internal long QuickTokensAtUs { get; set; }

    /// <summary>The writer waits for room.</summary>
    internal bool WantsToWrite { get; set; }

    internal long SendHeldBytes => _send.HeldBytes;

    // Receiving.

    /// <summary>Where the reader is.</summary>
    internal long ReadTo { get; private set; }

    /// <summary>Everything before it came.</summary>
    internal long ReceivedTo { get; private set; }

    internal IntervalSet Ahead;

    /// <summary>Where the peer's bytes end; -1: not known yet.</summary>
    internal long EndsAt { get; private set; } = -1;

    /// <summary>How far the peer may send.</summary>
    internal long Granted { get; set; }

    internal long Window { get; set; }

    /// <summary>The part of <see cref="Window"/> that was given although all was promised already.</summary>
    internal long BeyondBytes { get; set; }

    internal long PeriodStartUs { get; set; }

    /// <summary>When its reader last took something; before that, when it began.</summary>
    internal long ReadAtUs { get; set; }

    internal long PeriodBytes { get; set; }

    /// <summary>Blocks, and the list of what came ahead: a peer that leaves a hole behind every byte pays for the list.</summary>
    internal long ReceiveHeldBytes => _receive.HeldBytes + Ahead.HeldBytes;

    internal long UnreadBytes => ReceivedTo - ReadTo;

    internal bool IsReadable => UnreadBytes > 0 || ReadTo == EndsAt;

    internal bool IsAllRead => ReadTo == EndsAt;

    /// <summary>A credit waits in some lane's queue: it will carry the newest value.</summary>
    internal bool IsCreditQueued { get; set; }

    /// <summary>Bit i: the lane with number i modulo 64 carried some of it, either way, lately.</summary>
    internal ulong LaneBits { get; set; }

    internal void Write(ReadOnlySpan<byte> bytes)
    {
        _send.Write(WriteEnd, bytes);
        Waiting.Add(WriteEnd, WriteEnd + bytes.Length);
        WriteEnd += bytes.Length;
    }

    internal void Finish()
    {
        IsFinished = true;
        Waiting.Add(WriteEnd, WriteEnd + 1);
    }

    internal void CopyTo(long offset, Span<byte> destination) => _send.Read(offset, destination);

    /// <summary>A range is at the peer.</summary>
    /// <returns>The bytes that were not known to be there before.</returns>
    internal long SetDelivered(long start, long end)
    {
        start = Math.Max(start, DeliveredTo);
        if (start >= end)
        {
            return 0;
        }

        long added = Delivered.Add(start, end);
        Waiting.Remove(start, end);
        if (Delivered[0].Start <= DeliveredTo)
        {
            DeliveredTo = Delivered[0].End;
            Delivered.Remove(Delivered[0].Start, DeliveredTo);
            _send.FreeBefore(Math.Min(DeliveredTo, WriteEnd), empty: DeliveredTo >= WriteEnd);
        }

        return added;
    }

    internal bool IsDelivered(long start, long end) => end <= DeliveredTo || Delivered.Contains(Math.Max(start, DeliveredTo), end);

    /// <summary>A range was lost with a lane: what is not delivered waits again.</summary>
    internal void SendAgain(long start, long end)
    {
        start = Math.Max(start, DeliveredTo);
        for (int i = Delivered.FirstEndingAtOrAfter(start); i < Delivered.Count && start < end; i++)
        {
            var there = Delivered[i];
            if (there.Start >= end)
            {
                break;
            }

            Waiting.Add(start, there.Start);
            start = Math.Max(start, there.End);
        }

        Waiting.Add(start, end);
    }

    /// <summary>Bytes came.</summary>
    /// <returns>Those that were new.</returns>
    internal long Receive(long offset, ReadOnlySpan<byte> bytes)
    {
        long end = offset + bytes.Length;
        if (offset < ReceivedTo)
        {
            if (end <= ReceivedTo)
            {
                return 0;
            }

            bytes = bytes[(int)(ReceivedTo - offset)..];
            offset = ReceivedTo;
        }

        if (offset == ReceivedTo && Ahead.IsEmpty)
        {
            // The common case: in order.
            _receive.Write(offset, bytes);
            ReceivedTo = end;
            return bytes.Length;
        }

        if (Ahead.Contains(offset, end))
        {
            return 0;
        }

        _receive.Write(offset, bytes);
        long added = Ahead.Add(offset, end);
        if (Ahead[0].Start <= ReceivedTo)
        {
            ReceivedTo = Ahead[0].End;
            Ahead.Remove(Ahead[0].Start, ReceivedTo);
        }

        return added;
    }

    /// <summary>The highest place of what came.</summary>
    internal long ReceivedHighest => Ahead.IsEmpty ? ReceivedTo : Ahead[Ahead.Count - 1].End;

    /// <returns>False: the peer told another end before, or sent beyond this one.</returns>
    internal bool TrySetEnd(long end)
    {
        if ((EndsAt >= 0 && EndsAt != end) || ReceivedHighest > end)
        {
            return false;
        }

        EndsAt = end;
        return true;
    }

    /// <summary>Takes what is there, in order.</summary>
    internal int Read(Span<byte> destination)
    {
        int count = (int)Math.Min(UnreadBytes, destination.Length);
        _receive.Read(ReadTo, destination[..count]);
        ReadTo += count;
        _receive.FreeBefore(ReadTo, empty: UnreadBytes == 0 && Ahead.IsEmpty);
        return count;
    }

    /// <summary>Gives all buffers back.</summary>
    internal void Drop()
    {
        IsGone = true;
        _send.Clear();
        _receive.Clear();
        Waiting.Clear();
        Delivered.Clear();
        Ahead.Clear();
    }
}
