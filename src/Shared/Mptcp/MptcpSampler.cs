using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>One subflow of an MPTCP connection. <paramref name="Id"/> is null before Linux 6.5.</summary>
internal readonly record struct MptcpSubflow(uint? Id, SubflowAddress Local, SubflowAddress Remote, TcpInfo Tcp);

/// <summary>What one call saw.</summary>
/// <param name="Connection">The MPTCP level.</param>
/// <param name="Count">Subflows written to the caller's span.</param>
/// <param name="Total">Subflows that there are; more than <paramref name="Count"/> if the span was too short.</param>
internal readonly record struct MptcpSample(MptcpInfo Connection, int Count, int Total);

/// <summary>
/// Reads an MPTCP connection with all its subflows, again and again without allocation: MPTCP_FULL_INFO in one call (6.5), else the
/// three older options (5.16), whose parts may be a moment apart.
/// </summary>
internal static class MptcpSampler
{
    /// <summary>The kernel's limit is 8 beside the first up to 6.18, and 64 after it.</summary>
    internal const int MostSubflows = 65;

    /// <summary>0 or an errno; EOPNOTSUPP or ENOPROTOOPT on a plain TCP socket and on one that fell back.</summary>
    internal static int TryRead(Socket socket, Span<MptcpSubflow> subflows, out MptcpSample sample)
    {
        int errno = TryReadFull(socket, subflows, out sample);
        return errno is Libc.EOPNOTSUPP or Libc.ENOPROTOOPT ? TryReadByParts(socket, subflows, out sample) : errno;
    }

    internal static unsafe int TryReadFull(Socket socket, Span<MptcpSubflow> subflows, out MptcpSample sample)
    {
        sample = default;
        int room = Math.Min(subflows.Length, MostSubflows);
        byte* addresses = stackalloc byte[Math.Max(1, room) * sizeof(Libc.mptcp_subflow_info)];
        byte* tcp = stackalloc byte[Math.Max(1, room) * sizeof(Libc.tcp_info)];
        Libc.mptcp_full_info full = default;
        full.size_tcpinfo_user = (uint)sizeof(Libc.tcp_info);
        full.size_sfinfo_user = (uint)sizeof(Libc.mptcp_subflow_info);
        full.size_arrays_user = (uint)room;
        full.subflow_info = (ulong)addresses;
        full.tcp_info = (ulong)tcp;
        uint length = (uint)sizeof(Libc.mptcp_full_info);
        if (Libc.getsockopt(socket.SafeHandle, Libc.SOL_MPTCP, Libc.MPTCP_FULL_INFO, &full, &length) < 0)
        {
            return Libc.Errno;
        }

        // The kernel lowers both sizes to its own where ours are larger, and steps through the arrays by them.
        int tcpStep = (int)Math.Min(full.size_tcpinfo_user, (uint)sizeof(Libc.tcp_info));
        int addressStep = (int)Math.Min(full.size_sfinfo_user, (uint)sizeof(Libc.mptcp_subflow_info));
        int total = (int)Math.Min(full.num_subflows, int.MaxValue);
        int count = Math.Min(total, room);
        for (int i = 0; i < count; i++)
        {
            var element = new ReadOnlySpan<byte>(addresses + (i * addressStep), addressStep);
            subflows[i] = new MptcpSubflow(
                MemoryMarshal.TryRead(element, out uint id) ? id : null,
                AddressAt(element, Libc.mptcp_subflow_info.LocalOffset),
                AddressAt(element, Libc.mptcp_subflow_info.RemoteOffset),
                TcpInfo.Parse(new ReadOnlySpan<byte>(tcp + (i * tcpStep), tcpStep)));
        }

        // mptcp_info comes last, so what is left of the returned length is its own.
        int infoOffset = (int)Marshal.OffsetOf<Libc.mptcp_full_info>(nameof(Libc.mptcp_full_info.mptcp_info));
        int infoLength = Math.Clamp((int)length - infoOffset, 0, sizeof(Libc.mptcp_info));
        sample = new MptcpSample(MptcpInfo.Parse(new ReadOnlySpan<byte>(&full.mptcp_info, infoLength)), count, total);
        return 0;
    }

    /// <summary>MPTCP_INFO, MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS: the way of kernels before 6.5.</summary>
    internal static unsafe int TryReadByParts(Socket socket, Span<MptcpSubflow> subflows, out MptcpSample sample)
    {
        sample = default;
        int errno = MptcpInfo.TryRead(socket, out MptcpInfo info);
        if (errno != 0)
        {
            return errno;
        }

        const int AddressBytes = 2 * Libc.SockaddrStorageBytes;
        int room = Math.Min(subflows.Length, MostSubflows);
        byte* tcp = stackalloc byte[sizeof(Libc.mptcp_subflow_data) + (room * sizeof(Libc.tcp_info))];
        byte* addresses = stackalloc byte[sizeof(Libc.mptcp_subflow_data) + (room * AddressBytes)];
        errno = ReadArray(socket, Libc.MPTCP_TCPINFO, tcp, room, sizeof(Libc.tcp_info), out int tcpTotal, out int tcpStep);
        if (errno != 0)
        {
            return errno;
        }

        errno = ReadArray(socket, Libc.MPTCP_SUBFLOW_ADDRS, addresses, room, AddressBytes, out int addressTotal, out int addressStep);
        if (errno != 0)
        {
            return errno;
        }

        // A subflow may come or go between the calls; only what both have is told.
        int total = Math.Min(tcpTotal, addressTotal);
        int count = Math.Min(total, room);
        for (int i = 0; i < count; i++)
        {
            var element = new ReadOnlySpan<byte>(addresses + sizeof(Libc.mptcp_subflow_data) + (i * addressStep), addressStep);
            subflows[i] = new MptcpSubflow(
                null,
                AddressAt(element, 0),
                AddressAt(element, Libc.SockaddrStorageBytes),
                TcpInfo.Parse(new ReadOnlySpan<byte>(tcp + sizeof(Libc.mptcp_subflow_data) + (i * tcpStep), tcpStep)));
        }

        sample = new MptcpSample(info, count, total);
        return 0;
    }

    private static unsafe int ReadArray(Socket socket, int option, byte* buffer, int room, int elementBytes, out int total, out int step)
    {
        var head = (Libc.mptcp_subflow_data*)buffer;
        *head = new Libc.mptcp_subflow_data
        {
            size_subflow_data = (uint)sizeof(Libc.mptcp_subflow_data),
            size_user = (uint)elementBytes,
        };
        uint length = (uint)(sizeof(Libc.mptcp_subflow_data) + (room * elementBytes));
        int errno = Libc.getsockopt(socket.SafeHandle, Libc.SOL_MPTCP, option, buffer, &length) < 0 ? Libc.Errno : 0;
        total = (int)Math.Min(head->num_subflows, int.MaxValue);
        step = (int)Math.Min(head->size_user, (uint)elementBytes);
        return errno;
    }

    private static SubflowAddress AddressAt(ReadOnlySpan<byte> element, int offset)
        => offset < element.Length ? SubflowAddress.Parse(element[offset..Math.Min(element.Length, offset + Libc.SockaddrStorageBytes)]) : default;
}
