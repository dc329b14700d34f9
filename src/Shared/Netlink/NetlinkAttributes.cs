using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// Walks a run of attributes (type, length, value) in place; nested ones open with <see cref="NetlinkAttribute.Nested"/>.
/// As with <see cref="NetlinkReader"/> a bad length ends the walk and sets <see cref="Malformed"/>.
/// </summary>
internal ref struct NetlinkAttributes(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    internal bool Malformed { get; private set; }

    internal bool TryNext(out NetlinkAttribute attribute)
    {
        attribute = default;
        if (_rest.IsEmpty || Malformed)
        {
            return false;
        }

        if (!MemoryMarshal.TryRead(_rest, out Libc.nlattr header)
            || header.nla_len < Unsafe.SizeOf<Libc.nlattr>()
            || header.nla_len > _rest.Length)
        {
            Malformed = true;
            return false;
        }

        attribute = new NetlinkAttribute((ushort)(header.nla_type & Libc.NLA_TYPE_MASK), _rest[Unsafe.SizeOf<Libc.nlattr>()..header.nla_len]);
        _rest = _rest[Math.Min(_rest.Length, NetlinkReader.Align(header.nla_len))..];
        return true;
    }
}

/// <summary>One attribute. The readers answer false if the value is too short for what is asked of it.</summary>
internal readonly ref struct NetlinkAttribute(ushort type, ReadOnlySpan<byte> value)
{
    internal ushort Type { get; } = type;

    internal ReadOnlySpan<byte> Value { get; } = value;

    internal NetlinkAttributes Nested => new(Value);

    /// <summary>A number in host order, or a structure; a value longer than that comes from a newer kernel and is read in part.</summary>
    internal bool TryRead<T>(out T number)
        where T : unmanaged
        => MemoryMarshal.TryRead(Value, out number);

    /// <summary>4 bytes: IPv4, 16 bytes: IPv6. A link-local address carries no scope here: the interface is another attribute.</summary>
    internal bool TryReadAddress([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IPAddress? address)
    {
        address = Value.Length is 4 or 16 ? new IPAddress(Value) : null;
        return address is not null;
    }

    /// <summary>Text up to its terminating NUL, or all of it if there is none.</summary>
    internal string ReadString()
    {
        int end = Value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }
}
