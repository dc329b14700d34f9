using Aggregator.Gateway.Links;
using System.Globalization;
using System.Net.Sockets;
using Aggregator.Gateway.Policy;
using Aggregator.Host;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Apply;

/// <summary>
/// Brings the host to a desired state, and back to how it was. Safe to repeat: what is right already is not touched. What cannot be done
/// (no permission, no nft, an old kernel) is a warning, and the rest is done all the same. One caller at a time.
/// Ours is what carries our protocol number, our tables' numbers, or an entry in the journal, which is on disk before the change is made.
/// </summary>
internal sealed partial class HostApplier : IDisposable
{
    private const string EndpointKey = "mptcp-endpoint/";
    private const string LimitsKey = "mptcp-limits";

    private readonly HostJournal _journal;
    private readonly HostSysctls _sysctls;
    private readonly NftTable _nft;
    private readonly NftTable _direct;
    private readonly RateCaps _caps;
    private readonly RouteSocket _routes;
    private readonly MptcpPathManager? _mptcp;
    private readonly ILogger _logger;

    private HostApplier(HostJournal journal, SysctlFiles files, RouteSocket routes, MptcpPathManager? mptcp, ILogger logger)
    {
        _journal = journal;
        _sysctls = new HostSysctls(journal, files);
        _nft = new NftTable(journal, HostNumbers.NftTable, TproxyTable.MarkerChain, "transparent ingress");
        _direct = new NftTable(journal, HostNumbers.DirectNftTable, DirectTable.MarkerChain, "the direct way for the LAN's packets");
        _routes = routes;
        _caps = new RateCaps(journal, routes);
        _mptcp = mptcp;
        _logger = logger;
    }

    /// <summary>For the network namespace of the calling thread.</summary>
    /// <exception cref="IOException">The journal or the kernel's netlink cannot be used.</exception>
    internal static async Task<HostApplier> OpenAsync(string stateDirectory, ILogger logger, CancellationToken cancellationToken)
    {
        var journal = HostJournal.Open(stateDirectory);
        var mptcp = await MptcpPathManager.OpenAsync(cancellationToken);
        return new HostApplier(journal, new SysctlFiles(), RouteSocket.Open(), mptcp, logger);
    }

    internal async Task<ApplyOutcome> ApplyAsync(DesiredState desired, CancellationToken cancellationToken)
    {
        var problems = new Problems();
        var done = new List<string>();

        // Endpoints and rules of MPTCP mean nothing while net.mptcp.enabled is 0, so settings go first.
        var settings = _sysctls.Apply(desired.Sysctls);
        foreach (var problem in settings.Problems)
        {
            problems.Add(problem);
        }

        if (settings.Changes > 0)
        {
            done.Add(string.Create(CultureInfo.InvariantCulture, $"sysctl: {settings.Changes} changed"));
        }

        var actual = await ReadAsync(cancellationToken);
        foreach (var operation in HostDiff.Compute(desired, actual))
        {
            var result = await ExecuteAsync(operation, cancellationToken);
            if (result.IsSuccess)
            {
                done.Add(operation.ToString()!);
                if (operation is HostOperation.DeleteEndpoint(var gone, _))
                {
                    await EndSubflowsAsync(gone.Address, gone.Interface, done, cancellationToken);
                }
            }
            else
            {
                problems.Add(operation, result);
            }
        }

        ForgetGoneEndpoints(desired, actual);
        var (changes, warning) = await _nft.ApplyAsync(desired.Tproxy?.Script(), cancellationToken);
        if (changes > 0)
        {
            done.Add(desired.Tproxy is null ? "nft: table removed" : "nft: table loaded");
        }

        problems.Add(warning);
        (changes, warning) = await _direct.ApplyAsync(desired.Direct?.Script(), cancellationToken);
        if (changes > 0)
        {
            done.Add(desired.Direct is null ? "nft: direct table removed" : "nft: direct table loaded");
        }

        problems.Add(warning);
        await _caps.ApplyAsync(desired.Caps, done, problems.Add, cancellationToken);
        await EndLostConnectionsAsync(desired, done, problems, cancellationToken);
        foreach (string operation in done)
        {
            _logger.Applied(operation);
        }

        return new ApplyOutcome(done, problems.Warnings, [.. settings.Applied.Select(s => new AppliedSetting(s.Name.ToString(), s.Value, s.Before)), .. Limits(desired)]);
    }

    public void Dispose()
    {
        _routes.Dispose();
        _mptcp?.Dispose();
        _conntrack?.Dispose();
        _subflows?.Dispose();
    }

    private async Task<ActualState> ReadAsync(CancellationToken cancellationToken)
    {
        var routes = new List<Found<HostRoute>>();
        var rules = new List<Found<HostRule>>();
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            foreach (var route in await _routes.RoutesAsync(family, cancellationToken))
            {
                if (HostNumbers.IsOurTable((int)route.Table) && KernelForm.Of(route) is { } known)
                {
                    routes.Add(new Found<HostRoute>(known, route.Protocol == HostNumbers.Protocol));
                }
            }

            foreach (var rule in await _routes.RulesAsync(family, cancellationToken))
            {
                if (KernelForm.Of(rule) is { } known)
                {
                    rules.Add(new Found<HostRule>(known, rule.Protocol == HostNumbers.Protocol));
                }
            }
        }

        var endpoints = new List<FoundEndpoint>();
        HostMptcpLimits? limits = null;
        if (_mptcp is not null)
        {
            // An implicit one is the kernel's note of a connection; ours takes its place.
            foreach (var endpoint in (await _mptcp.EndpointsAsync(cancellationToken)).Where(e => !e.Flags.HasFlag(MptcpEndpointFlags.Implicit)))
            {
                endpoints.Add(new FoundEndpoint(
                    new HostEndpoint(endpoint.Address, endpoint.InterfaceIndex, "", endpoint.Flags.HasFlag(MptcpEndpointFlags.Backup)),
                    endpoint.Id,
                    _journal.Others.ContainsKey(EndpointKey + endpoint.Address)));
            }

            var found = await _mptcp.LimitsAsync(cancellationToken);
            limits = new HostMptcpLimits((int)found.Subflows, (int)found.AcceptedAddresses);
        }

        return new ActualState { Routes = [.. routes], Rules = [.. rules], Endpoints = [.. endpoints], MptcpLimits = limits };
    }

    private async ValueTask<NetlinkResult> ExecuteAsync(HostOperation operation, CancellationToken cancellationToken)
    {
        switch (operation)
        {
            case HostOperation.AddRoute(var route):
                return await _routes.AddRouteAsync(KernelForm.Of(route), cancellationToken);
            case HostOperation.DeleteRoute(var route):
                return Gone(await _routes.DeleteRouteAsync(KernelForm.Of(route), cancellationToken));
            case HostOperation.AddRule(var rule):
                return await _routes.AddRuleAsync(KernelForm.Of(rule), cancellationToken);
            case HostOperation.DeleteRule(var rule):
                return Gone(await _routes.DeleteRuleAsync(KernelForm.Of(rule), cancellationToken));
            case HostOperation.AddEndpoint(var endpoint):
                return await AddEndpointAsync(endpoint, cancellationToken);
            case HostOperation.ChangeEndpoint(var endpoint, var id):
                return await _mptcp!.SetFlagsAsync(Kernel(endpoint, id), cancellationToken);
            case HostOperation.DeleteEndpoint(var endpoint, var id):
                return await DeleteEndpointAsync(Kernel(endpoint, id), cancellationToken);
            case HostOperation.SetLimits(var limits, var before):
                _journal.Record(LimitsKey, string.Create(CultureInfo.InvariantCulture, $"{before.Subflows} {before.AddAddressesAccepted}"));
                return await _mptcp!.SetLimitsAsync(Kernel(limits), cancellationToken);
            default:
                throw new InvalidOperationException($"unknown operation {operation}");
        }
    }

    private async ValueTask<NetlinkResult> AddEndpointAsync(HostEndpoint endpoint, CancellationToken cancellationToken)
    {
        string key = EndpointKey + endpoint.Address;
        _journal.Record(key, endpoint.Device);
        var (result, _) = await _mptcp!.AddEndpointAsync(Kernel(endpoint, 0), cancellationToken);
        if (!result.IsSuccess)
        {
            _journal.Forget(key);
        }

        return result;
    }

    private async ValueTask<NetlinkResult> DeleteEndpointAsync(MptcpEndpoint endpoint, CancellationToken cancellationToken)
    {
        var result = Gone(await _mptcp!.RemoveEndpointAsync(endpoint, cancellationToken));
        if (result.IsSuccess)
        {
            _journal.Forget(EndpointKey + endpoint.Address);
        }

        return result;
    }

    private IEnumerable<AppliedSetting> Limits(DesiredState desired)
    {
        if (desired.MptcpLimits is { } limits && _journal.Others.TryGetValue(LimitsKey, out string? text) && TryParseLimits(text, out var before))
        {
            yield return new AppliedSetting("mptcp limits", limits.ToString(), new HostMptcpLimits((int)before.Subflows, (int)before.AcceptedAddresses).ToString());
        }
    }

    /// <summary>Somebody else deleted it: if he makes it again, it is his.</summary>
    private void ForgetGoneEndpoints(DesiredState desired, ActualState before)
    {
        var known = before.Endpoints.Select(e => e.Item.Address).Concat(desired.Endpoints.Select(e => e.Address)).Select(a => EndpointKey + a).ToHashSet();
        foreach (string key in _journal.Others.Keys.Where(k => k.StartsWith(EndpointKey, StringComparison.Ordinal) && !known.Contains(k)).ToArray())
        {
            _journal.Forget(key);
        }
    }

    private static NetlinkResult Gone(NetlinkResult result) => result.IsNotThere ? NetlinkResult.Success : result;

    private static MptcpEndpoint Kernel(HostEndpoint endpoint, byte id) => new()
    {
        Address = endpoint.Address,
        Id = id,
        InterfaceIndex = endpoint.Interface,
        Flags = MptcpEndpointFlags.Subflow | (endpoint.Backup ? MptcpEndpointFlags.Backup : 0),
    };

    private static MptcpLimits Kernel(HostMptcpLimits limits) => new((uint)limits.Subflows, (uint)limits.AddAddressesAccepted);

    /// <summary>Gathers what failed as warnings: a missing permission once, not for each of its thirty consequences.</summary>
    private sealed class Problems
    {
        private readonly List<HostWarning> _warnings = [];

        internal IReadOnlyList<HostWarning> Warnings => _warnings;

        internal void Add(HostWarning? warning)
        {
            if (warning is not null && !_warnings.Contains(warning))
            {
                _warnings.Add(warning);
            }
        }

        internal void Add(SysctlProblem problem) => Add(new HostWarning("sysctl", problem.ToString()));

        internal void Add(HostOperation operation, NetlinkResult result) => Add(result.Errno == Libc.EPERM
            ? new HostWarning("no-net-admin", "routes, rules and MPTCP endpoints cannot be set: the gateway lacks CAP_NET_ADMIN; run it as root or give it this capability")
            : new HostWarning("host", $"{operation}: {result}"));
    }
}

/// <param name="Done">The changes made, as text; empty when all was right already.</param>
/// <param name="Settings">Every setting that differs from before because of us.</param>
internal sealed record ApplyOutcome(IReadOnlyList<string> Done, IReadOnlyList<HostWarning> Warnings, IReadOnlyList<AppliedSetting> Settings);
