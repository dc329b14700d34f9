using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Aggregator.Interop;

namespace Aggregator.Netlink;

/// <summary>
/// Writes one netlink message into a buffer of the caller's: header, the family's fixed header, attributes, nested attributes.
/// Lengths are filled in by <see cref="EndNested"/> and <see cref="Complete"/>. A message that outgrows its buffer is a bug and throws.
/// </summary>
internal ref struct NetlinkWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;

    /// <summary>Bytes written so far, padding included.</summary>
    internal int Length { get; private set; }

    /// <summary>Starts the message. Sequence and port are the socket's business: it fills them in when it sends.</summary>
    internal void Begin(ushort type, ushort flags)
    {
        Length = 0;
        Write(new Libc.nlmsghdr { nlmsg_type = type, nlmsg_flags = flags });
    }

    /// <summary>A fixed header, padded to 4 bytes.</summary>
    internal void Write<T>(in T value)
        where T : unmanaged
        => MemoryMarshal.Write(Reserve(Unsafe.SizeOf<T>()), in value);

    internal void Attribute(ushort type, scoped ReadOnlySpan<byte> value)
    {
        int length = Unsafe.SizeOf<Libc.nlattr>() + value.Length;
        Span<byte> target = Reserve(length);
        var header = new Libc.nlattr { nla_len = checked((ushort)length), nla_type = type };
        MemoryMarshal.Write(target, in header);
        value.CopyTo(target[Unsafe.SizeOf<Libc.nlattr>()..]);
    }

    /// <summary>A number in host order, or a structure.</summary>
    internal void Attribute<T>(ushort type, T value)
        where T : unmanaged
        => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    internal void Attribute(ushort type, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (!address.TryWriteBytes(bytes, out int written))
        {
            throw new ArgumentException("neither IPv4 nor IPv6", nameof(address));
        }

        Attribute(type, bytes[..written]);
    }

    /// <summary>Text with its terminating NUL.</summary>
    internal void Attribute(ushort type, string text)
    {
        Span<byte> bytes = stackalloc byte[256];
        int written = Encoding.UTF8.GetBytes(text, bytes[..^1]);
        bytes[written] = 0;
        Attribute(type, bytes[..(written + 1)]);
    }

    /// <summary>Opens an attribute that holds attributes; the value goes to <see cref="EndNested"/>.</summary>
    internal int BeginNested(ushort type)
    {
        int start = Length;
        Write(new Libc.nlattr { nla_type = (ushort)(type | Libc.NLA_F_NESTED) });
        return start;
    }

    internal void EndNested(int start)
    {
        ushort length = checked((ushort)(Length - start));
        MemoryMarshal.Write(_buffer[start..], in length);
    }

    /// <summary>Fills in the message's length, which it returns.</summary>
    internal int Complete()
    {
        uint length = (uint)Length;
        MemoryMarshal.Write(_buffer, in length);
        return Length;
    }

    private Span<byte> Reserve(int length)
    {
        int padded = NetlinkReader.Align(length);
        if (padded > _buffer.Length - Length)
        {
            throw new InvalidOperationException("The netlink message does not fit its buffer.");
        }

        Span<byte> target = _buffer.Slice(Length, padded);
        target[length..].Clear();
        Length += padded;
        return target;
    }
}
