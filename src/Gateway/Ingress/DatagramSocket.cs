using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Aggregator.Interop;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// A UDP socket read until nothing is left, past .NET's own queue: waiting holds no buffer, and neither reading nor writing allocates.
/// One reader; writers may be many.
/// </summary>
internal sealed unsafe class DatagramSocket(Socket socket) : IDisposable
{
    /// <summary>sizeof(struct sockaddr_in6).</summary>
    internal const int AddressBytes = 28;

    private const int V4Bytes = 16;

    /// <summary>In one call: then the caller waits again.</summary>
    private const int MaxErrors = 16;

    private readonly byte[] _peek = new byte[1];

    internal Socket Socket => socket;

    /// <summary>Until a datagram is there.</summary>
    internal ValueTask<int> WaitAsync(CancellationToken cancellationToken) => socket.ReceiveAsync(_peek, SocketFlags.Peek, cancellationToken);

    /// <param name="sender">Set to the sender's sockaddr, with zeros behind.</param>
    /// <returns>The datagram's length; less than 0: there is none. What is longer than the buffer is left out.</returns>
    internal int Receive(Span<byte> buffer, Span<byte> sender)
    {
        for (int i = 0; i < MaxErrors; i++)
        {
            sender.Clear();
            uint length = (uint)sender.Length;
            nint count;
            fixed (byte* at = buffer)
            fixed (byte* address = sender)
            {
                count = Libc.recvfrom(socket.SafeHandle, at, (nuint)buffer.Length, Libc.MSG_DONTWAIT | Libc.MSG_TRUNC, address, &length);
            }

            if (count < 0 && Libc.Errno is not Libc.EAGAIN)
            {
                // An ICMP error of an earlier datagram is told once; the next call has what is there.
                continue;
            }

            if (count <= buffer.Length)
            {
                return (int)count;
            }
        }

        return -1;
    }

    /// <summary>A datagram that finds no room is lost, as UDP's are.</summary>
    /// <returns>False: lost.</returns>
    internal bool Send(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> to)
    {
        fixed (byte* at = datagram)
        fixed (byte* address = to)
        {
            return Libc.sendto(socket.SafeHandle, at, (nuint)datagram.Length, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL, address, (uint)LengthOf(to)) >= 0;
        }
    }

    public void Dispose() => socket.Dispose();

    /// <summary>struct sockaddr_in or sockaddr_in6.</summary>
    /// <param name="address">4 or 16 bytes.</param>
    internal static void WriteAddress(Span<byte> sockaddr, ReadOnlySpan<byte> address, ushort port, uint scope = 0)
    {
        sockaddr.Clear();
        bool v4 = address.Length == 4;
        BitConverter.TryWriteBytes(sockaddr, (ushort)(v4 ? Libc.AF_INET : Libc.AF_INET6));
        BinaryPrimitives.WriteUInt16BigEndian(sockaddr[2..], port);
        address.CopyTo(sockaddr[(v4 ? 4 : 8)..]);
        if (!v4)
        {
            BitConverter.TryWriteBytes(sockaddr[24..], scope);
        }
    }

    internal static ReadOnlySpan<byte> Address(ReadOnlySpan<byte> sockaddr) => IsV4(sockaddr) ? sockaddr.Slice(4, 4) : sockaddr.Slice(8, 16);

    internal static ushort Port(ReadOnlySpan<byte> sockaddr) => BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]);

    internal static bool IsV4(ReadOnlySpan<byte> sockaddr) => BitConverter.ToUInt16(sockaddr) == Libc.AF_INET;

    private static int LengthOf(ReadOnlySpan<byte> sockaddr) => IsV4(sockaddr) ? V4Bytes : AddressBytes;
}
