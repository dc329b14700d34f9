using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Events;

/// <summary>Turns changes of the links into events, one for each thing that changed. Called in order; knows no clock.</summary>
internal sealed class LinkEvents(Action<string, string?, string?, string?> add)
{
    private readonly Dictionary<string, LinkState> _told = new(StringComparer.Ordinal);

    internal void Take(LinkSnapshot before, LinkSnapshot after)
    {
        foreach (var link in after.Links)
        {
            Compare(before.Links.FirstOrDefault(l => l.Name == link.Name), link);
        }

        foreach (var gone in before.Links.Where(l => after.Links.All(a => a.Name != l.Name)))
        {
            _told.Remove(gone.Name);
            add(EventAction.Removed, gone.Name, gone.Interface, "it is no link any more");
        }
    }

    private void Compare(Link? was, Link link)
    {
        if (was is { Present: true } && !link.Present)
        {
            Add(EventAction.Removed, null);
        }
        else if (was is { Present: false } && link.Present)
        {
            Add(EventAction.Added, null);
        }

        if (was is not null && was.Role != link.Role)
        {
            Add(EventAction.Role, $"{Text(was.Role)} → {Text(link.Role)}{(link.RoleReason is { } why ? $": {why}" : "")}");
        }

        if (was is { Present: true } && link.Present)
        {
            CompareAddresses(was, link);
        }

        // A state that no probe has decided is none.
        if (!link.Checking && (!_told.TryGetValue(link.Name, out var told) || told != link.State))
        {
            _told[link.Name] = link.State;
            Add(Text(link.State), link.Reason);
        }

        void Add(string action, string? reason) => add(action, link.Name, link.Interface, reason);

        void CompareAddresses(Link had, Link has)
        {
            if (!had.Addresses.SequenceEqual(has.Addresses))
            {
                Add(EventAction.Address, $"{List(had)} → {List(has)}");
            }

            foreach (var (before, now) in ((NextHop?, NextHop?)[])[(had.V4, has.V4), (had.V6, has.V6)])
            {
                if (before is not null && now is not null && before != now)
                {
                    Add(EventAction.Gateway, $"{before} → {now}");
                }
            }
        }
    }

    private static string List(Link link) => link.Addresses.IsEmpty ? "none" : string.Join(' ', link.Addresses.Select(a => a.Address));

    private static string Text<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
