using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Mptcp;

/// <summary>Address and port as a value, compared and kept without allocation. IPv4 in IPv6 form (::ffff:…) counts as IPv4.</summary>
internal readonly record struct SubflowAddress
{
    /// <summary>In wire order; IPv4 in the last four bytes, the rest zero.</summary>
    private readonly UInt128 _address;
    private readonly uint _scope;
    private readonly byte _family;

    private SubflowAddress(byte family, UInt128 address, ushort port, uint scope)
    {
        _family = family;
        _address = address;
        Port = port;
        _scope = scope;
    }

    internal ushort Port { get; }

    /// <summary>No address: the kernel gave a family that is neither IPv4 nor IPv6, or none.</summary>
    internal bool IsUnknown => _family == 0;

    /// <summary>struct sockaddr_in or sockaddr_in6: family in host order, port and address in network order.</summary>
    internal static SubflowAddress Parse(ReadOnlySpan<byte> sockaddr)
    {
        if (!MemoryMarshal.TryRead(sockaddr, out ushort family))
        {
            return default;
        }

        switch (family)
        {
            case Libc.AF_INET when sockaddr.Length >= 8:
                return new SubflowAddress(
                    Libc.AF_INET, BinaryPrimitives.ReadUInt32BigEndian(sockaddr[4..]), BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]), 0);
            case Libc.AF_INET6 when sockaddr.Length >= 28:
                UInt128 address = BinaryPrimitives.ReadUInt128BigEndian(sockaddr[8..]);
                ushort port = BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);
                return address >> 32 == 0xffff
                    ? new SubflowAddress(Libc.AF_INET, (uint)address, port, 0)
                    : new SubflowAddress(Libc.AF_INET6, address, port, MemoryMarshal.Read<uint>(sockaddr[24..]));
            default:
                return default;
        }
    }

    internal static SubflowAddress From(IPEndPoint endPoint)
    {
        IPAddress address = endPoint.Address.IsIPv4MappedToIPv6 ? endPoint.Address.MapToIPv4() : endPoint.Address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == 4
            ? new SubflowAddress(Libc.AF_INET, BinaryPrimitives.ReadUInt32BigEndian(bytes), (ushort)endPoint.Port, 0)
            : new SubflowAddress(Libc.AF_INET6, BinaryPrimitives.ReadUInt128BigEndian(bytes), (ushort)endPoint.Port, (uint)address.ScopeId);
    }

    /// <summary>The address alone is <paramref name="address"/>, whatever the port. Allocates nothing.</summary>
    internal bool Has(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.TryWriteBytes(bytes, out int written) && written switch
        {
            4 => _family == Libc.AF_INET && _address == BinaryPrimitives.ReadUInt32BigEndian(bytes),
            _ when address.IsIPv4MappedToIPv6 => _family == Libc.AF_INET && _address == (uint)BinaryPrimitives.ReadUInt128BigEndian(bytes),
            _ => _family == Libc.AF_INET6 && _address == BinaryPrimitives.ReadUInt128BigEndian(bytes),
        };
    }

    /// <summary>Null if <see cref="IsUnknown"/>.</summary>
    internal IPEndPoint? ToEndPoint()
    {
        if (IsUnknown)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, _address);
        return _family == Libc.AF_INET
            ? new IPEndPoint(new IPAddress(bytes[12..]), Port)
            : new IPEndPoint(new IPAddress(bytes, _scope), Port);
    }

    public override string ToString() => ToEndPoint()?.ToString() ?? "unknown";
}
