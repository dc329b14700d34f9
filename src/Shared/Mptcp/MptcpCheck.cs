using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>What a connected socket really speaks.</summary>
internal enum MptcpVerdict
{
    /// <summary>The kernel would not say (no connection, or an error of its own).</summary>
    Unknown = 0,

    /// <summary>MPTCP, as this end sees it. A box that strips the options of one direction only is seen at the other end: ask both.</summary>
    Mptcp,

    /// <summary>An MPTCP socket whose connection goes on as plain TCP: the peer or a box between does not speak it.</summary>
    FellBack,

    /// <summary>A TCP socket; from an MPTCP listener, a peer that did not ask for MPTCP or whose asking was stripped.</summary>
    Tcp,
}

/// <summary>Tells MPTCP from fallback: TCP_IS_MPTCP (6.10), before it the errno of MPTCP_INFO (5.16).</summary>
internal static class MptcpCheck
{
    /// <summary>Of a connected socket. Allocates nothing.</summary>
    internal static unsafe MptcpVerdict VerdictOf(Socket socket)
    {
        int* isMptcp = stackalloc int[1];
        uint length = sizeof(int);
        if (Libc.getsockopt(socket.SafeHandle, Libc.SOL_TCP, Libc.TCP_IS_MPTCP, isMptcp, &length) < 0)
        {
            return VerdictByInfo(socket);
        }

        return *isMptcp != 0 ? MptcpVerdict.Mptcp : WithoutMptcp(socket);
    }

    internal static MptcpVerdict VerdictByInfo(Socket socket)
        => MptcpInfo.TryRead(socket, out MptcpInfo info) switch
        {
            0 => info.FellBack ? MptcpVerdict.FellBack : MptcpVerdict.Mptcp,
            Libc.EOPNOTSUPP or Libc.ENOPROTOOPT => WithoutMptcp(socket),
            _ => MptcpVerdict.Unknown,
        };

    /// <summary>SO_PROTOCOL stays 262 on a socket that was made for MPTCP and fell back.</summary>
    private static MptcpVerdict WithoutMptcp(Socket socket)
        => SocketOptions.GetProtocol(socket) == Libc.IPPROTO_MPTCP ? MptcpVerdict.FellBack : MptcpVerdict.Tcp;
}
