using Aggregator.Gateway.Links;
using Aggregator.Gateway.Policy;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Apply;

/// <summary>Direct connections that the kernel forwards end with their WAN; those of other WANs are not touched.</summary>
internal sealed partial class HostApplier
{
    private readonly HashSet<int> _ledOut = [];
    private ConntrackSocket? _conntrack;

    private async Task EndLostConnectionsAsync(DesiredState desired, List<string> done, Problems problems, CancellationToken cancellationToken)
    {
        if (desired.Direct is null)
        {
            return;
        }

        foreach (int slot in _ledOut.Except(desired.LeadingOut).ToArray())
        {
            _conntrack ??= ConntrackSocket.TryOpen();
            if (_conntrack is null)
            {
                problems.Add(new HostWarning("conntrack-missing", "direct connections over a lost link cannot be ended: this kernel has no ctnetlink (CONFIG_NF_CT_NETLINK)"));
                return;
            }

            var result = await _conntrack.DeleteAsync(HostNumbers.DirectMarkOf(slot), HostNumbers.DirectMask, cancellationToken);
            // None of this mark is no failure.
            if (result.IsSuccess || result.IsNotThere)
            {
                _ledOut.Remove(slot);
                done.Add($"conntrack: connections of slot {slot} ended");
            }
            else
            {
                problems.Add(new HostWarning("conntrack", $"direct connections over a lost link could not be ended: {result}"));
            }
        }

        _ledOut.UnionWith(desired.LeadingOut);
    }
}
