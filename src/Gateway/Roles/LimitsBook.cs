using System.Collections.Immutable;
using Aggregator.Gateway.Configuration;
using Aggregator.Settings;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Roles;

/// <summary>The bounds of every link at this moment: the configuration's, with what `link NAME …` changed since. Thread-safe.</summary>
internal sealed class LimitsBook
{
    private readonly Lock _lock = new();
    private readonly string _state;
    private readonly ImmutableDictionary<string, LinkLimits> _configured;
    private LimitsMemory _memory;
    private volatile ImmutableDictionary<string, LinkLimits> _current;

    internal LimitsBook(GatewayConfig config, ILogger logger)
    {
        _state = config.State;
        _configured = (config.Wans ?? []).ToImmutableDictionary(w => w.Name, w => w.Limits, StringComparer.Ordinal);
        _memory = LimitsMemory.Load(_state, out string? problem);
        if (problem is not null)
        {
            logger.MemoryUnreadable(problem);
        }

        _current = Join();
    }

    /// <summary>By link name; a link that is not here has none.</summary>
    internal ImmutableDictionary<string, LinkLimits> Current => _current;

    /// <summary>After a change. Handlers return at once.</summary>
    internal event Action? Changed;

    internal LinkLimits Of(string link) => _current.GetValueOrDefault(link, LinkLimits.None);

    /// <summary>Changes settings of a link together, in the order given; null: done, else what is wrong, and nothing is changed.</summary>
    /// <param name="reset">First back to what the configuration says.</param>
    /// <exception cref="StateException">It could not be kept.</exception>
    internal string? Set(string link, bool reset, IReadOnlyList<KeyValuePair<string, string>> settings)
    {
        lock (_lock)
        {
            var limits = reset ? _configured.GetValueOrDefault(link, LinkLimits.None) : Of(link);
            var texts = reset || !_memory.Links.TryGetValue(link, out var had) ? ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal) : had;
            // The quota's own settings come after its limit, whatever the order of words.
            foreach (var (key, text) in settings.OrderBy(s => Array.IndexOf(LinkSetting.Keys, s.Key)))
            {
                var changed = LinkSetting.Apply(limits, key, text);
                if (changed.Problem is { } problem)
                {
                    return $"{key}: {problem}";
                }

                limits = changed.Value!;
                texts = texts.SetItem(key, text);
            }

            var memory = new LimitsMemory { Links = texts.IsEmpty ? _memory.Links.Remove(link) : _memory.Links.SetItem(link, texts) };
            memory.Save(_state);
            _memory = memory;
            _current = Join();
        }

        Changed?.Invoke();
        return null;
    }

    private ImmutableDictionary<string, LinkLimits> Join()
    {
        var all = _configured.ToBuilder();
        foreach (var (link, texts) in _memory.Links)
        {
            var limits = all.GetValueOrDefault(link, LinkLimits.None);
            foreach (string key in LinkSetting.Keys)
            {
                // What a later version's configuration makes senseless (a billing day without its quota) is passed over.
                if (texts.TryGetValue(key, out string? text) && LinkSetting.Apply(limits, key, text) is { Problem: null, Value: { } changed })
                {
                    limits = changed;
                }
            }

            all[link] = limits;
        }

        return all.ToImmutable();
    }
}
