using System.Collections.Immutable;
using Aggregator.Gateway.Links;
using Aggregator.Netlink;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Roles;

/// <summary>Asks Wi-Fi interfaces for signal and rate, and says of links with too little of either that they are poor.</summary>
internal sealed class WifiWatch(LinkMonitor links, LinkConditions conditions, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const string Watcher = "wifi";

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _stop = new();
    private readonly HashSet<string> _poor = new(StringComparer.Ordinal);
    private Task _loop = Task.CompletedTask;
    private volatile ImmutableDictionary<string, WifiStation> _current = ImmutableDictionary<string, WifiStation>.Empty;

    /// <summary>By the link's name; only Wi-Fi links with an access point.</summary>
    internal ImmutableDictionary<string, WifiStation> Current => _current;

    internal void Start() => _loop = Task.Run(() => RunAsync(_stop.Token));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        WifiSocket? socket = null;
        try
        {
            while (true)
            {
                var wifi = links.Current.Links.Where(l => l.Present && Directory.Exists($"/sys/class/net/{l.Interface}/phy80211")).ToArray();
                socket ??= wifi.Length > 0 ? await WifiSocket.TryOpenAsync(stop) : null;
                var found = ImmutableDictionary.CreateBuilder<string, WifiStation>(StringComparer.Ordinal);
                foreach (var link in wifi)
                {
                    if (socket is not null && await socket.StationAsync(link.Index, stop) is { } station)
                    {
                        found[link.Name] = station;
                    }
                }

                Judge(found);
                _current = found.ToImmutable();
                await Task.Delay(Every, time, stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The daemon ends.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The kernel's Wi-Fi cannot be asked at all; links are judged by their probes alone.
            logger.KeeperFault(e);
        }
        finally
        {
            socket?.Dispose();
        }
    }

    private void Judge(ImmutableDictionary<string, WifiStation>.Builder found)
    {
        foreach (string name in _current.Keys.Concat(found.Keys).Distinct().ToArray())
        {
            string? why = found.TryGetValue(name, out var station) ? WifiJudgement.Of(station, _poor.Contains(name)) : null;
            if (why is null)
            {
                _poor.Remove(name);
            }
            else
            {
                _poor.Add(name);
            }

            conditions.SetDegraded(name, Watcher, why);
        }
    }
}
