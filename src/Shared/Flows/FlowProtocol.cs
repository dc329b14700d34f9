using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Aggregator.Flows;

/// <summary>
/// The bytes of proto/flow.md, version 1: one flow on one connection. The gateway sends an Open and the flow's bytes right behind it;
/// the VPS sends a Greeting when it has accepted the connection, a Reply when the dial ended, and the flow's bytes behind that.
/// Only bytes and spans here; who reads and writes them is FlowClient's and the VPS's affair.
/// </summary>
internal static class FlowProtocol
{
    /// <summary>The version that Hello and Welcome speak of.</summary>
    internal const int Version = 1;

    internal const int GreetingBytes = 4;

    /// <summary>The part of an Open whose length is fixed; <see cref="OpenHeader.TargetBytes"/> more follow.</summary>
    internal const int OpenHeaderBytes = 5;

    internal const int MaxTargetBytes = 255;

    internal const int MaxOpenBytes = OpenHeaderBytes + MaxTargetBytes;

    internal const int ReplyBytes = 22;

    private const byte OpenType = 0x01;
    private const byte GreetingType = 0x80;
    private const byte ReplyType = 0x81;

    private const byte KindNone = 0;
    private const byte KindIPv4 = 4;
    private const byte KindIPv6 = 6;
    private const byte KindName = 3;

    private const int IPv4Bytes = 4;
    private const int IPv6Bytes = 16;

    /// <summary>The last result that goes over the wire; <see cref="OpenResult.NoCarrier"/> never does.</summary>
    private const OpenResult LastResult = OpenResult.Busy;

    internal static void WriteGreeting(Span<byte> destination, GreetingStatus status)
    {
        destination[..GreetingBytes].Clear();
        destination[0] = GreetingType;
        destination[1] = Version;
        destination[2] = (byte)status;
    }

    /// <exception cref="FlowProtocolException">Not a greeting that this version knows.</exception>
    internal static GreetingStatus ReadGreeting(ReadOnlySpan<byte> source)
    {
        if (source[0] != GreetingType || source[1] != Version || source[3] != 0)
        {
            throw new FlowProtocolException("not a greeting of flow protocol 1");
        }

        return source[2] <= (byte)GreetingStatus.Busy
            ? (GreetingStatus)source[2]
            : throw new FlowProtocolException($"unknown greeting status {source[2]}");
    }

    /// <returns>The bytes written, at most <see cref="MaxOpenBytes"/>.</returns>
    /// <exception cref="FlowProtocolException">The name cannot go over the wire: see <see cref="IsName"/>.</exception>
    internal static int WriteOpen(Span<byte> destination, FlowTarget target)
    {
        var body = destination[OpenHeaderBytes..];
        int length;
        if (target.Address is { } address)
        {
            address.TryWriteBytes(body, out length);
            destination[1] = address.AddressFamily == AddressFamily.InterNetwork ? KindIPv4 : KindIPv6;
        }
        else
        {
            string name = target.Name ?? throw new FlowProtocolException("a target without address and name");
            // Checked as text first: its characters are ASCII then, one byte each.
            if (name.Length > MaxTargetBytes || !IsName(name))
            {
                throw new FlowProtocolException("a host name has 1 to 255 visible ASCII characters");
            }

            length = Encoding.ASCII.GetBytes(name, body);
            destination[1] = KindName;
        }

        destination[0] = OpenType;
        destination[2] = (byte)length;
        BinaryPrimitives.WriteUInt16BigEndian(destination[3..], target.Port);
        return OpenHeaderBytes + length;
    }

    /// <param name="source"><see cref="OpenHeaderBytes"/> bytes.</param>
    /// <exception cref="FlowProtocolException">Malformed; the connection is of no more use.</exception>
    internal static OpenHeader ReadOpenHeader(ReadOnlySpan<byte> source)
    {
        if (source[0] != OpenType)
        {
            throw new FlowProtocolException($"unknown message 0x{source[0]:x2}");
        }

        byte kind = source[1];
        int length = source[2];
        bool fits = kind switch
        {
            KindIPv4 => length == IPv4Bytes,
            KindIPv6 => length == IPv6Bytes,
            KindName => length > 0,
            _ => throw new FlowProtocolException($"unknown kind of target {kind}"),
        };
        return fits
            ? new OpenHeader(kind, length, BinaryPrimitives.ReadUInt16BigEndian(source[3..]))
            : throw new FlowProtocolException($"{length} bytes for a target of kind {kind}");
    }

    /// <param name="body">The <see cref="OpenHeader.TargetBytes"/> bytes behind the header.</param>
    /// <exception cref="FlowProtocolException">A name with bytes that no host name has.</exception>
    internal static FlowTarget ReadTarget(OpenHeader header, ReadOnlySpan<byte> body)
    {
        body = body[..header.TargetBytes];
        if (header.Kind != KindName)
        {
            return new FlowTarget(new IPAddress(body), header.Port);
        }

        string name = Encoding.Latin1.GetString(body);
        return IsName(name)
            ? new FlowTarget(name, header.Port)
            : throw new FlowProtocolException("a host name has visible ASCII characters only");
    }

    internal static void WriteReply(Span<byte> destination, FlowReply reply)
    {
        destination = destination[..ReplyBytes];
        destination.Clear();
        destination[0] = ReplyType;
        destination[1] = (byte)reply.Result;
        if (reply.Bound is { } bound)
        {
            destination[2] = bound.AddressFamily == AddressFamily.InterNetwork ? KindIPv4 : KindIPv6;
            BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)bound.Port);
            bound.Address.TryWriteBytes(destination[6..], out _);
        }
    }

    /// <param name="source"><see cref="ReplyBytes"/> bytes.</param>
    /// <exception cref="FlowProtocolException">Malformed.</exception>
    internal static FlowReply ReadReply(ReadOnlySpan<byte> source)
    {
        source = source[..ReplyBytes];
        if (source[0] != ReplyType || source[3] != 0)
        {
            throw new FlowProtocolException("not a reply of flow protocol 1");
        }

        if (source[1] > (byte)LastResult)
        {
            throw new FlowProtocolException($"unknown result {source[1]}");
        }

        int port = BinaryPrimitives.ReadUInt16BigEndian(source[4..]);
        int used = source[2] switch
        {
            KindNone => 0,
            KindIPv4 => IPv4Bytes,
            KindIPv6 => IPv6Bytes,
            _ => throw new FlowProtocolException($"unknown kind of address {source[2]}"),
        };
        if (source[(6 + used)..].ContainsAnyExcept((byte)0) || (used == 0 && port != 0))
        {
            throw new FlowProtocolException("bytes that should be zero are not");
        }

        return new FlowReply((OpenResult)source[1], used == 0 ? null : new IPEndPoint(new IPAddress(source.Slice(6, used)), port));
    }

    /// <summary>
    /// Whether a text may travel as a host name: visible ASCII, 1 to 255 characters. Stricter would be wrong (names with underscores
    /// exist); what it stands for is for the resolver to say. Names in other scripts travel in their ASCII form (RFC 5891).
    /// </summary>
    internal static bool IsName(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxTargetBytes && !name.ContainsAnyExceptInRange('!', '~');
}

/// <summary>The fixed part of an Open.</summary>
/// <param name="Kind">As on the wire.</param>
/// <param name="TargetBytes">What follows it: 1 to 255.</param>
internal readonly record struct OpenHeader(byte Kind, int TargetBytes, ushort Port);

/// <summary>What the VPS says of a new connection.</summary>
internal enum GreetingStatus : byte
{
    Ready = 0,

    /// <summary>Too many connections of this gateway; the VPS closes this one.</summary>
    Busy = 1,
}

/// <param name="Bound">The VPS's end of the connection to the target; null unless opened.</param>
internal readonly record struct FlowReply(OpenResult Result, IPEndPoint? Bound);

/// <summary>The peer sent what the protocol does not allow.</summary>
internal sealed class FlowProtocolException(string message) : IOException("Flow protocol: " + message + ".");
