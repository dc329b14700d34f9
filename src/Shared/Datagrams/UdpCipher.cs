using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Aggregator.Datagrams;

/// <summary>
/// Seals and opens datagrams with AES-256-GCM: 12 open bytes (session, counter), which are authenticated too, the sealed part, the tag of 16. A key serves one
/// direction of one session, and its counter never repeats. One caller at a time for each direction; allocates nothing.
/// </summary>
internal sealed class UdpCipher : IDisposable
{
    internal const int KeyBytes = 32;
    internal const int OpenBytes = 12;
    internal const int TagBytes = 16;
    internal const int OverheadBytes = OpenBytes + TagBytes;

    private readonly AesGcm _seal;
    private readonly AesGcm _open;
    private readonly uint _session;
    private ulong _counter;

    internal UdpCipher(uint session, ReadOnlySpan<byte> sealKey, ReadOnlySpan<byte> openKey)
    {
        _session = session;
        _seal = new AesGcm(sealKey, TagBytes);
        _open = new AesGcm(openKey, TagBytes);
    }

    /// <summary>Whose datagram it claims to be; null: too short for any.</summary>
    internal static uint? SessionOf(ReadOnlySpan<byte> datagram) => datagram.Length > OverheadBytes ? BinaryPrimitives.ReadUInt32BigEndian(datagram) : null;

    /// <returns>Bytes of the datagram.</returns>
    internal int Seal(ReadOnlySpan<byte> plain, Span<byte> datagram)
    {
        Span<byte> nonce = stackalloc byte[OpenBytes];
        BinaryPrimitives.WriteUInt32BigEndian(datagram, _session);
        BinaryPrimitives.WriteUInt64BigEndian(datagram[4..], ++_counter);
        datagram[..OpenBytes].CopyTo(nonce);
        _seal.Encrypt(nonce, plain, datagram.Slice(OpenBytes, plain.Length), datagram.Slice(OpenBytes + plain.Length, TagBytes), nonce);
        return OverheadBytes + plain.Length;
    }

    /// <param name="plain">At least as long as the datagram.</param>
    /// <returns>Bytes of the sealed part; -1: not of our peer's making.</returns>
    internal int Open(ReadOnlySpan<byte> datagram, Span<byte> plain)
    {
        int length = datagram.Length - OverheadBytes;
        if (length <= 0)
        {
            return -1;
        }

        try
        {
            var head = datagram[..OpenBytes];
            _open.Decrypt(head, datagram.Slice(OpenBytes, length), datagram[(OpenBytes + length)..], plain[..length], head);
            return length;
        }
        catch (AuthenticationTagMismatchException)
        {
            return -1;
        }
    }

    public void Dispose()
    {
        _seal.Dispose();
        _open.Dispose();
    }
}
