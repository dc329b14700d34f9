using System.Globalization;
using Aggregator.Interop;
using Aggregator.Netlink;

namespace Aggregator.Mptcp;

/// <summary>How far the limits go on this kernel.</summary>
internal sealed partial class MptcpPathManager
{
    /// <summary>
    /// Asks for an impossible limit, which changes nothing, and reads the maximum out of the refusal ("limit greater than maximum (8)").
    /// Null: the kernel does not say it (before 6.12), or this process may not ask.
    /// </summary>
    internal async Task<(uint? Subflows, uint? AcceptedAddresses)> ProbeLimitsAsync(CancellationToken cancel = default)
        => (await ProbeLimitAsync(Libc.MPTCP_PM_ATTR_SUBFLOWS, cancel), await ProbeLimitAsync(Libc.MPTCP_PM_ATTR_RCV_ADD_ADDRS, cancel));

    /// <summary>The number in the last parentheses of the kernel's text.</summary>
    internal static uint? MaximumOf(string? text)
    {
        int open = text?.LastIndexOf('(') ?? -1;
        int close = open < 0 ? -1 : text!.IndexOf(')', open);
        return close > 0 && uint.TryParse(text.AsSpan(open + 1, close - open - 1), NumberStyles.None, CultureInfo.InvariantCulture, out uint maximum)
            ? maximum
            : null;
    }

    private async Task<uint?> ProbeLimitAsync(ushort attribute, CancellationToken cancel)
    {
        NetlinkResult result = await _socket.RequestAsync(
            (Manager: this, Attribute: attribute),
            static (ref NetlinkWriter writer, (MptcpPathManager Manager, ushort Attribute) state) =>
            {
                state.Manager.Begin(ref writer, Libc.MPTCP_PM_CMD_SET_LIMITS);
                writer.Attribute(state.Attribute, uint.MaxValue);
            },
            cancel: cancel);
        return result.Errno == Libc.EINVAL ? MaximumOf(result.Text) : null;
    }
}
