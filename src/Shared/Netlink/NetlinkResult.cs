using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// What the kernel answered to a request: 0 or an errno, and the text of its extended acknowledgement (NLMSGERR_ATTR_MSG) if it gave one.
/// Expected answers such as EEXIST, ENOENT and ESRCH are for the caller to judge.
/// </summary>
internal readonly record struct NetlinkResult(int Errno, string? Text = null)
{
    internal static NetlinkResult Success => default;

    internal bool IsSuccess => Errno == 0;

    /// <summary>EEXIST: what was to be added is there already.</summary>
    internal bool IsAlreadyThere => Errno == Libc.EEXIST;

    /// <summary>ENOENT, ESRCH, ENODEV or EADDRNOTAVAIL: what was to be deleted or changed is not there.</summary>
    internal bool IsNotThere => Errno is Libc.ENOENT or Libc.ESRCH or Libc.ENODEV or Libc.EADDRNOTAVAIL;

    /// <exception cref="NetlinkException">The answer is an error.</exception>
    internal void ThrowIfFailed(string operation)
    {
        if (!IsSuccess)
        {
            throw new NetlinkException(operation, this);
        }
    }

    public override string ToString()
        => IsSuccess ? "ok" : $"{Marshal.GetPInvokeErrorMessage(Errno)} (errno {Errno}){(Text is null ? "" : ": " + Text)}";
}

/// <summary>A request failed that has no expected failures: a dump, a subscription, a socket option.</summary>
internal sealed class NetlinkException(string operation, NetlinkResult result) : IOException($"{operation}: {result}")
{
    internal string Operation { get; } = operation;

    internal NetlinkResult Result { get; } = result;
}
