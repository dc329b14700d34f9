using System.Buffers.Binary;
using System.Text;

namespace Aggregator.Trunk;

/// <summary>The bytes of a lane's first message each way (proto/trunk.md, "Hello"). Only spans here; <see cref="LaneHandshake"/> reads and writes them.</summary>
internal static class LaneHello
{
    /// <summary>Of the whole protocol; a peer that speaks another one is refused.</summary>
    internal const byte Version = 1;

    internal const int MaxLinkBytes = 64;

    /// <summary>The part of an offer whose length is fixed; the link's name follows.</summary>
    internal const int OfferHeaderBytes = 33;

    internal const int MaxOfferBytes = OfferHeaderBytes + MaxLinkBytes;

    internal const int AnswerBytes = 20;

    private const byte OfferType = 0x20;
    private const byte AnswerType = 0xa0;

    /// <summary>No two spellings, and what is not UTF-8 is an error.</summary>
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <returns>The bytes written.</returns>
    /// <exception cref="ArgumentException">The link's name is empty, too long or no text.</exception>
    internal static int WriteOffer(Span<byte> destination, in LaneOffer offer)
    {
        int length = Strict.GetByteCount(offer.Link);
        if (length is 0 or > MaxLinkBytes || offer.LaneId == 0)
        {
            throw new ArgumentException($"a link's name has 1 to {MaxLinkBytes} bytes, a lane's number is not 0", nameof(offer));
        }

        destination[0] = OfferType;
        destination[1] = Version;
        destination[2] = offer.JoinOnly ? (byte)1 : (byte)0;
        destination[3] = (byte)offer.Role;
        BinaryPrimitives.WriteUInt128BigEndian(destination[4..], offer.SessionId);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], offer.LaneId);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], offer.Nonce);
        destination[32] = (byte)length;
        Strict.GetBytes(offer.Link, destination[OfferHeaderBytes..]);
        return OfferHeaderBytes + length;
    }

    /// <param name="header"><see cref="OfferHeaderBytes"/> bytes.</param>
    /// <returns>How many bytes of the link's name follow.</returns>
    /// <exception cref="TrunkProtocolException">Malformed, or of another version.</exception>
    internal static int ReadLinkBytes(ReadOnlySpan<byte> header)
    {
        if (header[0] != OfferType)
        {
            throw new TrunkProtocolException($"message 0x{header[0]:x2} in place of an offer");
        }

        if (header[1] != Version)
        {
            throw new TrunkProtocolException($"version {header[1]}, ours is {Version}");
        }

        return header[32] is > 0 and <= MaxLinkBytes
            ? header[32]
            : throw new TrunkProtocolException($"{header[32]} bytes of a link's name");
    }

    /// <param name="bytes">Header and name.</param>
    /// <exception cref="TrunkProtocolException">Malformed.</exception>
    internal static LaneOffer ReadOffer(ReadOnlySpan<byte> bytes)
    {
        int length = ReadLinkBytes(bytes);
        uint lane = BinaryPrimitives.ReadUInt32BigEndian(bytes[20..]);
        if (bytes[2] > 1 || bytes[3] > (byte)LaneRole.Backup || lane == 0)
        {
            throw new TrunkProtocolException("an offer with an unknown mode or role, or lane 0");
        }

        string link;
        try
        {
            link = Strict.GetString(bytes.Slice(OfferHeaderBytes, length));
        }
        catch (DecoderFallbackException)
        {
            throw new TrunkProtocolException("a link's name that is not UTF-8");
        }

        foreach (char c in link)
        {
            if (char.IsControl(c))
            {
                // It goes into logs and on terminals.
                throw new TrunkProtocolException("a link's name with control characters");
            }
        }

        return new LaneOffer(
            BinaryPrimitives.ReadUInt128BigEndian(bytes[4..]),
            lane,
            BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]),
            bytes[2] == 1,
            (LaneRole)bytes[3],
            link);
    }

    internal static void WriteAnswer(Span<byte> destination, in LaneAnswer answer)
    {
        destination[0] = AnswerType;
        destination[1] = Version;
        destination[2] = (byte)answer.Status;
        destination[3] = 0;
        BinaryPrimitives.WriteUInt64BigEndian(destination[4..], answer.Nonce);
        BinaryPrimitives.WriteUInt64BigEndian(destination[12..], answer.Instance);
    }

    /// <param name="bytes"><see cref="AnswerBytes"/> bytes.</param>
    /// <exception cref="TrunkProtocolException">Malformed, or of another version.</exception>
    internal static LaneAnswer ReadAnswer(ReadOnlySpan<byte> bytes)
    {
        if (bytes[0] != AnswerType || bytes[1] != Version || bytes[3] != 0)
        {
            throw new TrunkProtocolException("not an answer of version 1");
        }

        if (bytes[2] > (byte)LaneAnswerStatus.Replayed)
        {
            throw new TrunkProtocolException($"unknown answer {bytes[2]}");
        }

        return new LaneAnswer(
            (LaneAnswerStatus)bytes[2],
            BinaryPrimitives.ReadUInt64BigEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[12..]));
    }
}
