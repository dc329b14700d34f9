using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// Walks the messages of one netlink datagram (linux/netlink.h) in place. A length that does not fit ends the walk and sets
/// <see cref="Malformed"/>: no input makes it throw, loop or read outside the datagram.
/// </summary>
internal ref struct NetlinkReader(ReadOnlySpan<byte> datagram)
{
    private ReadOnlySpan<byte> _rest = datagram;

    /// <summary>The walk ended at bytes that are no message.</summary>
    internal bool Malformed { get; private set; }

    internal bool TryNext(out NetlinkMessage message)
    {
        message = default;
        if (_rest.IsEmpty || Malformed)
        {
            return false;
        }

        if (!MemoryMarshal.TryRead(_rest, out Libc.nlmsghdr header)
            || header.nlmsg_len < Unsafe.SizeOf<Libc.nlmsghdr>()
            || header.nlmsg_len > (uint)_rest.Length)
        {
            Malformed = true;
            return false;
        }

        int length = (int)header.nlmsg_len;
        message = new NetlinkMessage(header, _rest[Unsafe.SizeOf<Libc.nlmsghdr>()..length]);
        _rest = _rest[Math.Min(_rest.Length, Align(length))..];
        return true;
    }

    /// <summary>NLMSG_ALIGN and NLA_ALIGN: both are 4 bytes.</summary>
    internal static int Align(int length) => (length + 3) & ~3;
}

/// <summary>One message: its header and what follows it.</summary>
internal readonly ref struct NetlinkMessage(Libc.nlmsghdr header, ReadOnlySpan<byte> payload)
{
    internal ushort Type { get; } = header.nlmsg_type;

    internal ushort Flags { get; } = header.nlmsg_flags;

    internal uint Sequence { get; } = header.nlmsg_seq;

    internal uint Port { get; } = header.nlmsg_pid;

    internal ReadOnlySpan<byte> Payload { get; } = payload;

    /// <summary>The family's fixed header and the attributes after it; false if the message is shorter than the header.</summary>
    internal bool TryRead<T>(out T fixedHeader, out NetlinkAttributes attributes)
        where T : unmanaged
    {
        attributes = default;
        if (!MemoryMarshal.TryRead(Payload, out fixedHeader))
        {
            return false;
        }

        int offset = NetlinkReader.Align(Unsafe.SizeOf<T>());
        attributes = new NetlinkAttributes(Payload[Math.Min(offset, Payload.Length)..]);
        return true;
    }
}
