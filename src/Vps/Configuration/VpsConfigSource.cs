namespace Aggregator.Vps.Configuration;

/// <summary>The configuration in force. Replaced as a whole by a reload; readers take it anew each time.</summary>
internal sealed class VpsConfigSource(VpsConfig initial)
{
    private volatile VpsConfig _current = initial;

    internal VpsConfig Current => _current;

    /// <summary>Takes over what can change while the daemon runs.</summary>
    /// <returns>The keys that differ and need a restart.</returns>
    internal IReadOnlyList<string> Reload(VpsConfig loaded)
    {
        var old = _current;
        List<string> kept = [];
        if (!loaded.Listen.Equals(old.Listen))
        {
            kept.Add("listen");
        }

        if (loaded.State != old.State)
        {
            kept.Add("state");
        }

        if (loaded.Api != old.Api)
        {
            kept.Add("api");
        }

        _current = loaded with { Listen = old.Listen, State = old.State, Api = old.Api };
        return kept;
    }
}
