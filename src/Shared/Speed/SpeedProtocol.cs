using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Aggregator.Mptcp;

namespace Aggregator.Speed;

/// <summary>What a test connection is for. The numbers are those of proto/speed.md.</summary>
internal enum SpeedKind : byte
{
    Echo = 1,
    Download = 2,
    Upload = 3,
    Look = 4,
}

/// <summary>How a sender loads the line.</summary>
internal enum SpeedLoad : byte
{
    /// <summary>For the rate: the best congestion control that the host has.</summary>
    Best = 0,

    /// <summary>For the queue: one that goes on until packets are lost.</summary>
    LossBased = 1,
}

internal enum SpeedAnswerResult : byte
{
    GoOn = 0,
    Busy = 1,
    NoSuchRun = 2,
}

/// <summary>The first bytes of a test connection.</summary>
/// <param name="Group">Connections of one phase have the same.</param>
/// <param name="PaceKbps">The most that a download's sender may send, in thousands of bits a second; 0: no bound.</param>
internal readonly record struct SpeedHeader(SpeedKind Kind, SpeedLoad Load, uint Group, UInt128 RunId, TimeSpan Duration, uint PaceKbps = 0);

/// <summary>What the VPS says to it.</summary>
/// <param name="Verdict">What the connection is at its end.</param>
/// <param name="From">Where it comes from, as the VPS sees it; null where it is a flow of the carrier.</param>
internal readonly record struct SpeedAnswer(SpeedAnswerResult Result, MptcpVerdict Verdict, IPEndPoint? From);

/// <summary>What the VPS sees of MPTCP on one connection.</summary>
/// <param name="Enabled">Whether its kernel takes MPTCP at all.</param>
/// <param name="CapableSyns">MPCapableSYNRX of its network namespace; null: not known.</param>
/// <param name="CapableFallbacks">MPCapableFallbackACK, likewise: asked for MPTCP, and then acknowledged without it.</param>
internal readonly record struct SpeedLook(
    MptcpVerdict Verdict, int Subflows, int Established, bool Enabled, ulong? CapableSyns, ulong? CapableFallbacks);

/// <summary>The bytes of proto/speed.md, version 1. Spans only.</summary>
internal static class SpeedProtocol
{
    internal const int HeaderBytes = 32;
    internal const int AnswerBytes = 24;
    internal const int LookBytes = 24;
    internal const int EchoBytes = 16;
    internal const int RunIdBytes = 16;

    /// <summary>Longer than the longest measurement that a user may ask for, with its setting up.</summary>
    internal static readonly TimeSpan LongestStream = TimeSpan.FromSeconds(75);

    /// <summary>The name under which a flow of the carrier reaches the VPS's own test: no name of the internet ends in it (RFC 6761).</summary>
    internal const string FlowName = "speedtest.aggregator.invalid";

    internal const ushort FlowPort = 1;

    private const byte HeaderType = 0x53;
    private const byte Version = 1;
    private const byte AnswerType = 0x83;
    private const byte LookType = 0x84;
    private const byte KindIPv4 = 4;
    private const byte KindIPv6 = 6;

    internal static void WriteHeader(Span<byte> destination, in SpeedHeader header)
    {
        destination = destination[..HeaderBytes];
        destination.Clear();
        destination[0] = HeaderType;
        destination[1] = Version;
        destination[2] = (byte)header.Kind;
        destination[3] = (byte)header.Load;
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], header.Group);
        BinaryPrimitives.WriteUInt128BigEndian(destination[8..], header.RunId);
        BinaryPrimitives.WriteUInt32BigEndian(destination[24..], (uint)header.Duration.TotalMilliseconds);
        BinaryPrimitives.WriteUInt32BigEndian(destination[28..], header.PaceKbps);
    }

    /// <param name="source"><see cref="HeaderBytes"/> bytes.</param>
    /// <exception cref="SpeedProtocolException">Malformed.</exception>
    internal static SpeedHeader ReadHeader(ReadOnlySpan<byte> source)
    {
        source = source[..HeaderBytes];
        if (source[0] != HeaderType || source[1] != Version)
        {
            throw new SpeedProtocolException("not a header of speed test protocol 1");
        }

        uint milliseconds = BinaryPrimitives.ReadUInt32BigEndian(source[24..]);
        if (source[2] is < (byte)SpeedKind.Echo or > (byte)SpeedKind.Look
            || source[3] > (byte)SpeedLoad.LossBased
            || milliseconds == 0 || milliseconds > LongestStream.TotalMilliseconds)
        {
            throw new SpeedProtocolException("a header with values that there are not");
        }

        return new SpeedHeader(
            (SpeedKind)source[2],
            (SpeedLoad)source[3],
            BinaryPrimitives.ReadUInt32BigEndian(source[4..]),
            BinaryPrimitives.ReadUInt128BigEndian(source[8..]),
            TimeSpan.FromMilliseconds(milliseconds),
            BinaryPrimitives.ReadUInt32BigEndian(source[28..]));
    }

    internal static void WriteAnswer(Span<byte> destination, in SpeedAnswer answer)
    {
        destination = destination[..AnswerBytes];
        destination.Clear();
        destination[0] = AnswerType;
        destination[1] = (byte)answer.Result;
        destination[2] = (byte)answer.Verdict;
        if (answer.From is { } from)
        {
            var address = from.Address.IsIPv4MappedToIPv6 ? from.Address.MapToIPv4() : from.Address;
            destination[3] = address.AddressFamily == AddressFamily.InterNetwork ? KindIPv4 : KindIPv6;
            BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)from.Port);
            address.TryWriteBytes(destination[6..], out _);
        }
    }

    /// <param name="source"><see cref="AnswerBytes"/> bytes.</param>
    /// <exception cref="SpeedProtocolException">Malformed.</exception>
    internal static SpeedAnswer ReadAnswer(ReadOnlySpan<byte> source)
    {
        source = source[..AnswerBytes];
        if (source[0] != AnswerType || source[1] > (byte)SpeedAnswerResult.NoSuchRun || source[2] > (byte)MptcpVerdict.Tcp)
        {
            throw new SpeedProtocolException("not an answer of speed test protocol 1");
        }

        int used = source[3] switch
        {
            0 => 0,
            KindIPv4 => 4,
            KindIPv6 => 16,
            _ => throw new SpeedProtocolException("an address of an unknown kind"),
        };
        int port = BinaryPrimitives.ReadUInt16BigEndian(source[4..]);
        if (source[(6 + used)..].ContainsAnyExcept((byte)0) || (used == 0 && port != 0))
        {
            throw new SpeedProtocolException("bytes that should be zero are not");
        }

        return new SpeedAnswer(
            (SpeedAnswerResult)source[1], (MptcpVerdict)source[2], used == 0 ? null : new IPEndPoint(new IPAddress(source.Slice(6, used)), port));
    }

    internal static void WriteLook(Span<byte> destination, in SpeedLook look)
    {
        destination = destination[..LookBytes];
        destination.Clear();
        destination[0] = LookType;
        destination[1] = (byte)look.Verdict;
        destination[2] = (byte)Math.Min(look.Subflows, byte.MaxValue);
        destination[3] = (byte)Math.Min(look.Established, byte.MaxValue);
        destination[4] = look.Enabled ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], look.CapableSyns ?? ulong.MaxValue);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], look.CapableFallbacks ?? ulong.MaxValue);
    }

    /// <param name="source"><see cref="LookBytes"/> bytes.</param>
    /// <exception cref="SpeedProtocolException">Malformed.</exception>
    internal static SpeedLook ReadLook(ReadOnlySpan<byte> source)
    {
        source = source[..LookBytes];
        if (source[0] != LookType || source[1] > (byte)MptcpVerdict.Tcp || source[4] > 1 || source[5..8].ContainsAnyExcept((byte)0))
        {
            throw new SpeedProtocolException("not a look of speed test protocol 1");
        }

        return new SpeedLook(
            (MptcpVerdict)source[1],
            source[2],
            source[3],
            source[4] == 1,
            Known(BinaryPrimitives.ReadUInt64BigEndian(source[8..])),
            Known(BinaryPrimitives.ReadUInt64BigEndian(source[16..])));
    }

    private static ulong? Known(ulong value) => value == ulong.MaxValue ? null : value;
}

/// <summary>The peer sent what the protocol does not have; the connection is of no more use.</summary>
internal sealed class SpeedProtocolException(string message) : IOException(message);
