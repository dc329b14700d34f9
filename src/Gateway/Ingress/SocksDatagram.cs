using System.Buffers.Binary;

namespace Aggregator.Gateway.Ingress;

/// <summary>The header in front of each datagram of an association (RFC 1928 section 7): RSV FRAG ATYP DST.ADDR DST.PORT. Takes any bytes.</summary>
internal static class SocksDatagram
{
    internal const byte V4 = 1;
    internal const byte Name = 3;
    internal const byte V6 = 4;

    /// <summary>With an IPv6 address; what we write is never longer.</summary>
    internal const int MaxHeaderBytes = 4 + 16 + 2;

    /// <returns>False: malformed, a fragment (which an implementation may drop, and we do), or a target that cannot be.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> datagram, out SocksTarget target)
    {
        target = default;
        if (datagram.Length < 5 || datagram[2] != 0)
        {
            return false;
        }

        byte type = datagram[3];
        (int start, int length) = type switch
        {
            V4 => (4, 4),
            V6 => (4, 16),
            Name => (5, datagram[4]),
            _ => (0, 0),
        };
        if (length == 0 || datagram.Length < start + length + 2)
        {
            return false;
        }

        ushort port = BinaryPrimitives.ReadUInt16BigEndian(datagram[(start + length)..]);
        target = new SocksTarget(type, start, length, port);
        return port != 0;
    }

    /// <summary>Writes the header that ends where <paramref name="before"/> ends.</summary>
    /// <param name="before">At least <see cref="MaxHeaderBytes"/>.</param>
    /// <param name="address">4 or 16 bytes.</param>
    /// <returns>Its length.</returns>
    internal static int WriteBefore(Span<byte> before, ReadOnlySpan<byte> address, ushort port)
    {
        int length = 4 + address.Length + 2;
        var header = before[^length..];
        header[..3].Clear();
        header[3] = address.Length == 4 ? V4 : V6;
        address.CopyTo(header[4..]);
        BinaryPrimitives.WriteUInt16BigEndian(header[^2..], port);
        return length;
    }
}

/// <summary>A datagram's target, as places in it.</summary>
/// <param name="Type">ATYP.</param>
internal readonly record struct SocksTarget(byte Type, int Start, int Length, ushort Port)
{
    /// <summary>Where the payload begins.</summary>
    internal int End => Start + Length + 2;

    internal ReadOnlySpan<byte> Address(ReadOnlySpan<byte> datagram) => datagram.Slice(Start, Length);
}
