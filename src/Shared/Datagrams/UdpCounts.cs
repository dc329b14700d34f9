namespace Aggregator.Datagrams;

/// <summary>Since the session began.</summary>
internal struct UdpCounts
{
    /// <summary>Packets, copies aside.</summary>
    internal long Sent;

    internal long Copies;

    /// <summary>Left to the trunk: no lane was well, or a client sends more than real-time traffic does.</summary>
    internal long Refused;

    /// <summary>Copies counted.</summary>
    internal long Received;

    /// <summary>Came again, or too late to know.</summary>
    internal long Replayed;

    /// <summary>Not sealed by our peer, or not what it should be.</summary>
    internal long Malformed;

    /// <summary>Packets of flows that are not real-time.</summary>
    internal long Bulk;
}
