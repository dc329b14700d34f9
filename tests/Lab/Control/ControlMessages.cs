using System.Text.Json.Serialization;
using Aggregator.Lab.Cli;
using Aggregator.Lab.Emulation;
using Aggregator.Lab.Topology;

namespace Aggregator.Lab.Control;

/// <param name="Wan">Null: nothing is changed, only shown.</param>
/// <param name="Changes">As <see cref="WanText.ApplyAsync"/> takes them.</param>
internal sealed record ControlRequest(string? Wan, IReadOnlyList<string>? Changes);

/// <param name="Error">Null: all went well.</param>
internal sealed record ControlAnswer(string? Error, LabDescription? Lab, IReadOnlyList<WanState>? Wans);

/// <summary>A WAN as it is now. The directions of an unshaped one are null: the kernel carries it.</summary>
internal sealed record WanState(string Name, string Interface, bool Shaped, string? Strip, DirectionState? Down, DirectionState? Up)
{
    internal static WanState Of(LabWan wan) => wan.IsShaped
        ? new(wan.Name, wan.Interface, true, WanText.Describe(wan.Interference), DirectionState.Of(wan.Down), DirectionState.Of(wan.Up))
        : new(wan.Name, wan.Interface, false, null, null, null);
}

/// <param name="RateMbps">Null: unlimited.</param>
internal sealed record DirectionState(
    double? RateMbps, double DelayMs, double JitterMs, double LossRatio, int QueueBytes, int? MtuBytes, bool Blackhole, bool Outage, LinkCountersView Counters,
    long BurstBytes, double? BurstMbps)
{
    internal static DirectionState Of(LinkDirection direction)
    {
        var s = direction.Settings;
        return new(
            s.RateMbps, s.Delay.TotalMilliseconds, s.Jitter.TotalMilliseconds, s.LossRatio, s.EffectiveQueueBytes, s.MtuBytes, s.BlackHole, direction.Outage,
            LinkCountersView.Of(direction.Counters), s.BurstBytes, s.BurstRateBitsPerSecond / 1e6);
    }
}

/// <summary><see cref="LinkCounters"/> for JSON.</summary>
internal sealed record LinkCountersView(
    long PacketsIn, long BytesIn, long PacketsDelivered, long BytesDelivered, long DroppedByQueue, long DroppedByLoss, long DroppedByOutage, long DroppedByMtu,
    long DroppedByMiddlebox, long Stripped, long QueueBytesNow, long QueueBytesPeak)
{
    internal static LinkCountersView Of(LinkCounters c) => new(
        c.PacketsIn, c.BytesIn, c.PacketsDelivered, c.BytesDelivered, c.PacketsDroppedByQueue, c.PacketsDroppedByLoss, c.PacketsDroppedByOutage, c.PacketsDroppedByMtu,
        c.PacketsDroppedByMiddlebox, c.PacketsStripped, c.QueueBytesNow, c.QueueBytesPeak);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlAnswer))]
internal sealed partial class ControlJson : JsonSerializerContext;
