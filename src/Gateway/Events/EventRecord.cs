namespace Aggregator.Gateway.Events;

/// <summary>Something that happened, as `events` shows it and hooks are told.</summary>
/// <param name="Number">Grows by one with each, over restarts too.</param>
/// <param name="Action">See <see cref="EventAction"/>.</param>
/// <param name="Link">The link's name; null where it is not about one.</param>
/// <param name="Reason">For people; null where there is nothing to say.</param>
internal sealed record EventRecord(long Number, DateTimeOffset Time, string Action, string? Link, string? Interface, string? Reason);
