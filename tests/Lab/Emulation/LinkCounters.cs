namespace Aggregator.Lab.Emulation;

/// <summary>What one direction has done since the lab was made. Bytes are those of IP packets.</summary>
internal sealed record LinkCounters
{
    /// <summary>Taken from the sending interface.</summary>
    internal long PacketsIn { get; init; }

    internal long BytesIn { get; init; }

    /// <summary>Given to the receiving interface.</summary>
    internal long PacketsDelivered { get; init; }

    internal long BytesDelivered { get; init; }

    /// <summary>Dropped because the queue was full.</summary>
    internal long PacketsDroppedByQueue { get; init; }

    /// <summary>Dropped by the loss ratio.</summary>
    internal long PacketsDroppedByLoss { get; init; }

    /// <summary>Dropped because the link was a black hole, had no carrier or was gone.</summary>
    internal long PacketsDroppedByOutage { get; init; }

    /// <summary>Dropped because they were longer than the direction's MTU.</summary>
    internal long PacketsDroppedByMtu { get; init; }

    /// <summary>MP_JOIN SYNs dropped by the middlebox.</summary>
    internal long PacketsDroppedByMiddlebox { get; init; }

    /// <summary>Packets from which the middlebox took MPTCP options.</summary>
    internal long PacketsStripped { get; init; }

    /// <summary>In the queue now, waiting for the line.</summary>
    internal long QueueBytesNow { get; init; }

    /// <summary>The longest queue seen.</summary>
    internal long QueueBytesPeak { get; init; }
}
