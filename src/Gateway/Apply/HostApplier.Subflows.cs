using System.Globalization;
using System.Net;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Aggregator.Netlink;

namespace Aggregator.Gateway.Apply;

/// <content>
/// What is left of subflows whose endpoint was removed. The kernel only half-closes a connection's first subflow, acknowledges what still comes in on
/// it and throws it away (subflow->closing, net/mptcp/protocol.c, 6.18). A peer that did not get our REMOVE_ADDR (it is sent once, and often into
/// the dead link) goes on to use it, and a transfer waits for bytes for ever. Ended, it answers with a reset.
/// </content>
internal sealed partial class HostApplier
{
    private SubflowSockets? _subflows;

    private async ValueTask EndSubflowsAsync(IPAddress local, int device, List<string> done, CancellationToken cancellationToken)
    {
        int ended = 0;
        try
        {
            _subflows ??= SubflowSockets.Open();
            foreach (SubflowSocket subflow in await _subflows.FromAsync(local, device, cancellationToken))
            {
                var result = await _subflows.EndAsync(subflow, cancellationToken);
                if (result.Errno == Libc.EOPNOTSUPP)
                {
                    _logger.SubflowsStay("this kernel cannot end connections (CONFIG_INET_DIAG_DESTROY)");
                    return;
                }

                ended += result.IsSuccess ? 1 : 0;
            }
        }
        catch (Exception e) when (e is LibcException or NetlinkException)
        {
            _logger.SubflowsStay(e.Message);
        }

        if (ended > 0)
        {
            done.Add(string.Create(CultureInfo.InvariantCulture, $"ss -K: {ended} subflows from {local} ended"));
        }
    }
}
