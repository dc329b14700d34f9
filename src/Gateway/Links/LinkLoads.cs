using System.Collections.Immutable;
using Aggregator.Gateway.Configuration;

namespace Aggregator.Gateway.Links;

/// <summary>What a speed test knows of a link while it lasts.</summary>
/// <param name="IdleMs">The round trip without any load.</param>
/// <param name="ExpectedMs">What is to be expected while the test loads the link; null: it does not at the moment.</param>
/// <param name="LeftOut">A test measures what the others carry without it: it is a backup meanwhile.</param>
internal readonly record struct LinkLoad(double IdleMs, double? ExpectedMs, bool LeftOut = false)
{
    internal bool IsLoaded => ExpectedMs is not null;

    /// <summary>What a small request may have to wait for while a line is loaded: above it another line is the better one.</summary>
    internal static double BearableMs(double idleMs) => (2 * idleMs) + 50;
}

/// <summary>
/// Links that are loaded on purpose at the moment (a speed test fills their queues), and what a round trip takes there meanwhile and on the others. Probes
/// tell the first only when it is nearly over, and in the first seconds of a link they tell the cost of first times as well. Safe for many threads.
/// </summary>
internal sealed class LinkLoads
{
    private ImmutableDictionary<string, LinkLoad> _current = ImmutableDictionary<string, LinkLoad>.Empty;

    /// <summary>A load begins or has ended. Handlers return at once.</summary>
    internal event Action? Changed;

    /// <summary>By interface.</summary>
    internal ImmutableDictionary<string, LinkLoad> Current => Volatile.Read(ref _current);

    /// <summary>As is to be expected, or was measured, or as the probes say; null: not known.</summary>
    internal static double? RttMs(Link link, ImmutableDictionary<string, LinkLoad> loads) =>
        loads.TryGetValue(link.Interface, out LinkLoad load) ? load.ExpectedMs ?? load.IdleMs : link.RttMs;

    /// <summary>
    /// Whether others are to carry what this link would: a second packet of a small answer would wait on it behind a queue that a speed test is filling,
    /// and may be lost there too. So while another active link is up that is about as quick; without one a link is shared with the test.
    /// </summary>
    internal static bool GivesWay(Link link, LinkSnapshot links, ImmutableDictionary<string, LinkLoad> loads) => loads.TryGetValue(link.Interface, out LinkLoad load)
        && (load.LeftOut || (load.IsLoaded
            && links.Links.Any(l => l is { Role: LinkRole.Active, State: LinkState.Up }
                && !(loads.TryGetValue(l.Interface, out LinkLoad other) && other.IsLoaded)
                && RttMs(l, loads) <= LinkLoad.BearableMs(load.IdleMs))));

    /// <summary>A test begins with this link: nothing loads it yet.</summary>
    internal void Know(string device, double idleMs) => ImmutableInterlocked.AddOrUpdate(ref _current, device, new LinkLoad(idleMs, null), (_, l) => l with { IdleMs = idleMs });

    /// <param name="latestMs">The latest round trip over it; what is less than a load may come to at any moment counts as that much.</param>
    internal void Load(string device, double idleMs, double latestMs)
    {
        bool begins = !IsLoaded(device);
        var load = new LinkLoad(idleMs, Math.Max(LinkLoad.BearableMs(idleMs), latestMs));
        ImmutableInterlocked.AddOrUpdate(ref _current, device, load, (_, _) => load);
        if (begins)
        {
            Changed?.Invoke();
        }
    }

    internal void EndLoad(string device)
    {
        if (IsLoaded(device))
        {
            ImmutableInterlocked.AddOrUpdate(ref _current, device, default(LinkLoad), (_, l) => l with { ExpectedMs = null });
            Changed?.Invoke();
        }
    }

    /// <summary>Until it is forgotten; that nothing is left is for whoever asks for it to see to.</summary>
    internal void LeaveOut(string device)
    {
        ImmutableInterlocked.AddOrUpdate(ref _current, device, new LinkLoad(0, null, LeftOut: true), (_, l) => l with { LeftOut = true });
        Changed?.Invoke();
    }

    internal bool IsLeftOut(string device) => Current.TryGetValue(device, out LinkLoad load) && load.LeftOut;

    /// <summary>The test is over.</summary>
    internal void Forget(string device)
    {
        if (ImmutableInterlocked.TryRemove(ref _current, device, out LinkLoad load) && (load.IsLoaded || load.LeftOut))
        {
            Changed?.Invoke();
        }
    }

    private bool IsLoaded(string device) => Current.TryGetValue(device, out LinkLoad load) && load.IsLoaded;
}
