using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.Doctor;

/// <summary>
/// The datagrams between the doctor and the VPS's temporary echo (doctor.proto), after RFC 5780's idea: what source does the VPS see, and
/// does an answer from another port come back. Request: token (16), flags (1), zero (7), nonce (8), zero up to <see cref="Bytes"/>.
/// Answer: token (16), port index (1), zero (1), seen port (2, big-endian), zero (4), nonce (8), seen address as IPv6 (16). Both have the
/// same length, so that nobody can make the VPS send more than he sends.
/// </summary>
internal static class EchoDatagram
{
    internal const int TokenBytes = 16;
    internal const int Bytes = 48;

    /// <summary>Answer from the other port (RFC 5780, CHANGE-REQUEST with "change port").</summary>
    internal const byte FromOtherPort = 1;

    private const int KindAt = 16;
    private const int SeenPortAt = 18;
    private const int NonceAt = 24;
    private const int SeenAddressAt = 32;

    internal static void WriteRequest(Span<byte> datagram, ReadOnlySpan<byte> token, byte flags, ulong nonce)
    {
        datagram[..Bytes].Clear();
        token[..TokenBytes].CopyTo(datagram);
        datagram[KindAt] = flags;
        BinaryPrimitives.WriteUInt64BigEndian(datagram[NonceAt..], nonce);
    }

    /// <summary>False: not a request with this token.</summary>
    internal static bool TryReadRequest(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> token, out byte flags, out ulong nonce)
    {
        (flags, nonce) = (0, 0);
        if (datagram.Length != Bytes || !datagram[..TokenBytes].SequenceEqual(token))
        {
            return false;
        }

        flags = datagram[KindAt];
        nonce = BinaryPrimitives.ReadUInt64BigEndian(datagram[NonceAt..]);
        return true;
    }

    internal static void WriteAnswer(Span<byte> datagram, ReadOnlySpan<byte> token, byte portIndex, ulong nonce, IPEndPoint seen)
    {
        datagram[..Bytes].Clear();
        token[..TokenBytes].CopyTo(datagram);
        datagram[KindAt] = portIndex;
        BinaryPrimitives.WriteUInt16BigEndian(datagram[SeenPortAt..], (ushort)seen.Port);
        BinaryPrimitives.WriteUInt64BigEndian(datagram[NonceAt..], nonce);
        seen.Address.MapToIPv6().TryWriteBytes(datagram[SeenAddressAt..], out _);
    }

    /// <summary>False: not an answer with this token.</summary>
    internal static bool TryReadAnswer(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> token, out EchoAnswer answer)
    {
        answer = default;
        if (datagram.Length != Bytes || !datagram[..TokenBytes].SequenceEqual(token))
        {
            return false;
        }

        var address = new IPAddress(datagram[SeenAddressAt..]);
        answer = new EchoAnswer(
            datagram[KindAt],
            BinaryPrimitives.ReadUInt64BigEndian(datagram[NonceAt..]),
            new IPEndPoint(Plain(address), BinaryPrimitives.ReadUInt16BigEndian(datagram[SeenPortAt..])));
        return true;
    }

    /// <summary>IPv4 as IPv4, also where a socket of both families tells it as IPv6 (RFC 4291 section 2.5.5.2).</summary>
    internal static IPAddress Plain(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 && address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}

/// <param name="PortIndex">Which of the two ports it came from: 0 or 1.</param>
/// <param name="Nonce">That of the request.</param>
/// <param name="Seen">The source that the VPS saw.</param>
internal readonly record struct EchoAnswer(byte PortIndex, ulong Nonce, IPEndPoint Seen);
