using Aggregator.Gateway.Links;
using System.Globalization;
using System.Net.Sockets;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Mptcp;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Apply;

/// <summary>The way back: for a clean end, and for `down` after any other.</summary>
internal sealed partial class HostApplier
{
    /// <summary>
    /// Takes back all that the gateway ever made and puts back what it changed. Goes by marks and by the journal alone, so it needs neither
    /// configuration nor daemon, and what an older version left is found too.
    /// </summary>
    internal async Task<CleanUpOutcome> CleanUpAsync(CancellationToken cancellationToken)
    {
        var problems = new Problems();
        var done = new List<string>();

        // Clients get their old way first, then traffic stops using the WANs' tables.
        var (changes, warning) = await _nft.RemoveAsync(cancellationToken);
        problems.Add(warning);
        if (changes > 0)
        {
            done.Add($"nft delete table inet {HostNumbers.NftTable}");
        }

        (changes, warning) = await _direct.RemoveAsync(cancellationToken);
        problems.Add(warning);
        if (changes > 0)
        {
            done.Add($"nft delete table inet {HostNumbers.DirectNftTable}");
        }

        await RemoveEndpointsAsync(done, problems, cancellationToken);
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            foreach (var rule in (await _routes.RulesAsync(family, cancellationToken)).Where(r => r.Protocol == HostNumbers.Protocol))
            {
                Note($"ip rule del priority {rule.Priority} lookup 0x{rule.Table:x}", await _routes.DeleteRuleAsync(rule, cancellationToken));
            }

            foreach (var route in (await _routes.RoutesAsync(family, cancellationToken)).Where(IsOurs))
            {
                Note($"ip route del {route.Destination} table 0x{route.Table:x}", await _routes.DeleteRouteAsync(route, cancellationToken));
            }
        }

        string clients = ClientsInterface.Name();
        try
        {
            if (await ClientsInterface.RemoveAsync(clients, TimeProvider.System, cancellationToken))
            {
                done.Add($"ip link del {clients}");
            }
        }
        catch (IOException e)
        {
            problems.Add(new HostWarning("host", e.Message));
        }

        done.AddRange(Enumerable.Repeat("cap removed", await _caps.RemoveAllAsync(cancellationToken)));
        done.AddRange(Enumerable.Repeat("group of `use` removed", LinkScopes.RemoveAll()));
        var settings = _sysctls.Restore();
        done.AddRange(Enumerable.Repeat("sysctl put back", settings.Changes));
        foreach (var problem in settings.Problems)
        {
            problems.Add(problem);
        }

        _logger.CleanedUp(done.Count);
        return new CleanUpOutcome(done, problems.Warnings);

        void Note(string operation, NetlinkResult result)
        {
            if (Gone(result).IsSuccess)
            {
                done.Add(operation);
            }
            else
            {
                problems.Add(new HostWarning("host", $"{operation}: {result}"));
            }
        }
    }

    private static bool IsOurs(RouteInfo route) => route.Protocol == HostNumbers.Protocol && HostNumbers.IsOurTable((int)route.Table);

    private async Task RemoveEndpointsAsync(List<string> done, Problems problems, CancellationToken cancellationToken)
    {
        if (_mptcp is null)
        {
            return;
        }

        foreach (var endpoint in await _mptcp.EndpointsAsync(cancellationToken))
        {
            if (!_journal.Others.ContainsKey(EndpointKey + endpoint.Address))
            {
                continue;
            }

            var result = await DeleteEndpointAsync(endpoint, cancellationToken);
            if (result.IsSuccess)
            {
                done.Add($"ip mptcp endpoint del {endpoint.Address}");
            }
            else
            {
                problems.Add(new HostWarning("host", $"the MPTCP endpoint {endpoint.Address} could not be deleted: {result}"));
            }
        }

        ForgetGoneEndpoints(DesiredState.Nothing, new ActualState());
        if (_journal.Others.TryGetValue(LimitsKey, out string? text) && TryParseLimits(text, out var limits))
        {
            var result = await _mptcp.SetLimitsAsync(limits, cancellationToken);
            if (result.IsSuccess)
            {
                _journal.Forget(LimitsKey);
                done.Add("ip mptcp limits put back");
            }
            else
            {
                problems.Add(new HostWarning("host", $"the MPTCP limits could not be put back: {result}"));
            }
        }
    }

    private static bool TryParseLimits(string text, out MptcpLimits limits)
    {
        limits = default;
        string[] parts = text.Split(' ');
        if (parts.Length != 2
            || !uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint subflows)
            || !uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint accepted))
        {
            return false;
        }

        limits = new MptcpLimits(subflows, accepted);
        return true;
    }
}

/// <param name="Done">What was taken back, as text.</param>
/// <param name="Warnings">What could not be; it stays in the journal for another try.</param>
internal sealed record CleanUpOutcome(IReadOnlyList<string> Done, IReadOnlyList<HostWarning> Warnings);
