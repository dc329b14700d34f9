using Aggregator.Vps.Configuration;
using Aggregator.Vps.Sessions;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Api;

/// <summary>SIGHUP: the configuration and the pairings are read anew. A file with an error changes nothing.</summary>
internal sealed class Reloader(string path, VpsConfigSource config, GatewaySessions sessions, ILogger<Reloader> logger)
{
    private readonly Lock _lock = new();

    /// <returns>Null, or why the configuration was not taken.</returns>
    internal string? Reload()
    {
        lock (_lock)
        {
            sessions.EndRevoked();
            var loaded = VpsConfigFile.Load(path);
            if (!loaded.Succeeded)
            {
                logger.ReloadRefused(loaded.FirstError!);
                return loaded.FirstError;
            }

            var kept = config.Reload(loaded.Config);
            if (kept.Count > 0)
            {
                logger.NeedsRestart(string.Join(", ", kept));
            }

            logger.Reloaded(path);
            return null;
        }
    }
}
