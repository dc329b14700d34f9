namespace Aggregator.Datagrams;

/// <summary>One lane at one moment. Null: not known.</summary>
internal sealed record UdpLaneSample(
    int Id, bool IsWell, bool IsBest, bool IsBackup, bool HasOutlet, double? RttMs, double? JitterOutMs, double? JitterInMs, double? LossOut, double? LossIn, long SentBytes, long ReceivedBytes);
