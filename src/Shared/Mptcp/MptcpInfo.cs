using System.Net.Sockets;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>struct mptcp_info of one MPTCP connection. Null: this kernel's structure is older than the field.</summary>
internal readonly struct MptcpInfo
{
    private readonly Libc.mptcp_info _raw;
    private readonly int _length;

    private MptcpInfo(in Libc.mptcp_info raw, int length)
    {
        _raw = raw;
        _length = length;
    }

    /// <summary>Names the connection to the path manager and in its events.</summary>
    internal uint Token => _raw.mptcpi_token;

    /// <summary>The connection goes on as plain TCP.</summary>
    internal bool FellBack => (_raw.mptcpi_flags & Libc.MPTCP_INFO_FLAG_FALLBACK) != 0;

    /// <summary>Subflows beside the first.</summary>
    internal int ExtraSubflows => _raw.mptcpi_subflows;

    /// <summary>All subflows, those that are still joining included (6.8).</summary>
    internal int? Subflows => Known(81, _raw.mptcpi_subflows_total);

    internal int SubflowsLimit => _raw.mptcpi_subflows_max;

    internal int AddressesAnnounced => _raw.mptcpi_add_addr_signal;

    internal int AddressesAccepted => _raw.mptcpi_add_addr_accepted;

    internal int AddressesAcceptedLimit => _raw.mptcpi_add_addr_accepted_max;

    internal bool HasChecksum => _raw.mptcpi_csum_enabled != 0;

    /// <summary>Written and not acknowledged at the MPTCP level, in bytes.</summary>
    internal ulong UnacknowledgedBytes => _raw.mptcpi_write_seq - _raw.mptcpi_snd_una;

    /// <summary>Retransmissions at the MPTCP level, onto another subflow (6.5).</summary>
    internal uint? Retransmits => Known(48, _raw.mptcpi_retransmits);

    internal ulong? BytesRetransmitted => Known(56, _raw.mptcpi_bytes_retrans);

    internal ulong? BytesSent => Known(64, _raw.mptcpi_bytes_sent);

    internal ulong? BytesReceived => Known(72, _raw.mptcpi_bytes_received);

    internal ulong? BytesAcknowledged => Known(80, _raw.mptcpi_bytes_acked);

    internal TimeSpan? SinceDataSent => Known(88, TimeSpan.FromMilliseconds(_raw.mptcpi_last_data_sent));

    internal TimeSpan? SinceDataReceived => Known(92, TimeSpan.FromMilliseconds(_raw.mptcpi_last_data_recv));

    internal TimeSpan? SinceAcknowledged => Known(96, TimeSpan.FromMilliseconds(_raw.mptcpi_last_ack_recv));

    /// <summary>0 or an errno; EOPNOTSUPP or ENOPROTOOPT on a plain TCP socket and on one that fell back.</summary>
    internal static unsafe int TryRead(Socket socket, out MptcpInfo info)
    {
        Libc.mptcp_info raw = default;
        uint length = (uint)sizeof(Libc.mptcp_info);
        int errno = Libc.getsockopt(socket.SafeHandle, Libc.SOL_MPTCP, Libc.MPTCP_INFO, &raw, &length) < 0 ? Libc.Errno : 0;
        info = new MptcpInfo(in raw, (int)length);
        return errno;
    }

    /// <param name="bytes">The structure as long as the kernel gave it.</param>
    internal static MptcpInfo Parse(ReadOnlySpan<byte> bytes)
    {
        Libc.mptcp_info raw = default;
        Span<byte> target = MemoryMarshal.AsBytes(new Span<Libc.mptcp_info>(ref raw));
        int length = Math.Min(bytes.Length, target.Length);
        bytes[..length].CopyTo(target);
        return new MptcpInfo(in raw, length);
    }

    /// <summary>The value if the kernel's structure reached to <paramref name="end"/>, where the field ends.</summary>
    private T? Known<T>(int end, T value)
        where T : struct
        => _length >= end ? value : null;
}
