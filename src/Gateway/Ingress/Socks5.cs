using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Aggregator.Flows;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// SOCKS5's messages (RFC 1928, RFC 1929). Pure: every method looks at the bytes from the message's first, however many there are yet,
/// and never beyond the message's own length, so what a client sent ahead stays where it is.
/// </summary>
internal static class Socks5
{
    internal const byte Version = 5;

    /// <summary>RFC 1929 section 2: the subnegotiation's own version.</summary>
    internal const byte CredentialsVersion = 1;

    internal const byte MethodNone = 0;
    internal const byte MethodUsernamePassword = 2;
    internal const byte MethodNotAcceptable = 0xff;

    /// <summary>The longest of the client's three messages: user name and password (1 + 1 + 255 + 1 + 255).</summary>
    internal const int MaxMessageBytes = 513;

    /// <summary>VER REP RSV ATYP, an IPv6 address, a port.</summary>
    internal const int MaxReplyBytes = 4 + 16 + 2;

    private const byte AddressV4 = 1;
    private const byte AddressName = 3;
    private const byte AddressV6 = 4;
    private const int PortBytes = 2;

    /// <summary>VER NMETHODS METHODS.</summary>
    internal static SocksParse ParseGreeting(ReadOnlySpan<byte> input, out SocksMethods methods, out int consumed)
    {
        methods = SocksMethods.None;
        consumed = 0;
        if (input.IsEmpty)
        {
            return SocksParse.NeedMore;
        }
        if (input[0] != Version)
        {
            return SocksParse.Bad;
        }
        if (input.Length < 2)
        {
            return SocksParse.NeedMore;
        }
        int count = input[1];
        if (count == 0)
        {
            return SocksParse.Bad;
        }
        if (input.Length < 2 + count)
        {
            return SocksParse.NeedMore;
        }
        consumed = 2 + count;
        ReadOnlySpan<byte> offered = input[2..consumed];
        methods = (offered.Contains(MethodNone) ? SocksMethods.NoAuthentication : 0)
            | (offered.Contains(MethodUsernamePassword) ? SocksMethods.UsernamePassword : 0);
        return SocksParse.Done;
    }

    /// <summary>VER ULEN UNAME PLEN PASSWD. The two slices point into <paramref name="input"/>.</summary>
    internal static SocksParse ParseCredentials(
        ReadOnlySpan<byte> input, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> password, out int consumed)
    {
        name = password = default;
        consumed = 0;
        if (input.IsEmpty)
        {
            return SocksParse.NeedMore;
        }
        if (input[0] != CredentialsVersion)
        {
            return SocksParse.Bad;
        }
        if (input.Length < 2)
        {
            return SocksParse.NeedMore;
        }
        int nameEnd = 2 + input[1];
        if (input.Length <= nameEnd)
        {
            return SocksParse.NeedMore;
        }
        int passwordEnd = nameEnd + 1 + input[nameEnd];
        if (input.Length < passwordEnd)
        {
            return SocksParse.NeedMore;
        }
        name = input[2..nameEnd];
        password = input[(nameEnd + 1)..passwordEnd];
        consumed = passwordEnd;
        return SocksParse.Done;
    }

    /// <summary>VER CMD RSV ATYP DST.ADDR DST.PORT. <paramref name="target"/> is set when Done.</summary>
    internal static SocksParse ParseRequest(ReadOnlySpan<byte> input, out SocksCommand command, out FlowTarget target, out int consumed)
    {
        command = default;
        target = default;
        consumed = 0;
        if (input.IsEmpty)
        {
            return SocksParse.NeedMore;
        }
        if (input[0] != Version)
        {
            return SocksParse.Bad;
        }
        if (input.Length < 2)
        {
            return SocksParse.NeedMore;
        }
        command = (SocksCommand)input[1];
        if (command is < SocksCommand.Connect or > SocksCommand.UdpAssociate)
        {
            return SocksParse.BadCommand;
        }
        // RSV is to be zero; some clients leave rubbish there and it has no meaning, so it is not looked at.
        if (input.Length < 4)
        {
            return SocksParse.NeedMore;
        }
        int addressStart;
        int addressBytes;
        switch (input[3])
        {
            case AddressV4:
                (addressStart, addressBytes) = (4, 4);
                break;
            case AddressV6:
                (addressStart, addressBytes) = (4, 16);
                break;
            case AddressName when input.Length < 5:
                return SocksParse.NeedMore;
            case AddressName:
                (addressStart, addressBytes) = (5, input[4]);
                break;
            default:
                return SocksParse.BadAddressType;
        }
        int addressEnd = addressStart + addressBytes;
        if (input.Length < addressEnd + PortBytes)
        {
            return SocksParse.NeedMore;
        }
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(input[addressEnd..]);
        ReadOnlySpan<byte> address = input[addressStart..addressEnd];
        consumed = addressEnd + PortBytes;
        if (input[3] != AddressName)
        {
            target = new FlowTarget(new IPAddress(address), port);
            return SocksParse.Done;
        }
        return HostText.TryParse(address, port, out target) ? SocksParse.Done : SocksParse.Bad;
    }

    /// <summary>Writes VER REP RSV ATYP BND.ADDR BND.PORT; without <paramref name="bound"/>, 0.0.0.0:0.</summary>
    /// <returns>Its length, at most <see cref="MaxReplyBytes"/>.</returns>
    internal static int WriteReply(Span<byte> output, SocksReply reply, IPEndPoint? bound)
    {
        IPAddress address = bound?.Address ?? IPAddress.Any;
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }
        output[0] = Version;
        output[1] = (byte)reply;
        output[2] = 0;
        output[3] = address.AddressFamily == AddressFamily.InterNetwork ? AddressV4 : AddressV6;
        // Cannot fail: the caller gives MaxReplyBytes.
        address.TryWriteBytes(output[4..], out int addressBytes);
        BinaryPrimitives.WriteUInt16BigEndian(output[(4 + addressBytes)..], (ushort)(bound?.Port ?? 0));
        return 4 + addressBytes + PortBytes;
    }

    /// <summary>The reply code that tells a client how the opening ended.</summary>
    internal static SocksReply ReplyFor(OpenResult result) => result switch
    {
        OpenResult.Opened => SocksReply.Succeeded,
        OpenResult.NotAllowed => SocksReply.NotAllowed,
        OpenResult.NetworkUnreachable or OpenResult.NoCarrier => SocksReply.NetworkUnreachable,
        // RFC 1928 has no code for a time-out; "TTL expired" is what clients print as one.
        OpenResult.HostUnreachable or OpenResult.NameNotFound => SocksReply.HostUnreachable,
        OpenResult.TimedOut => SocksReply.TtlExpired,
        OpenResult.Refused => SocksReply.ConnectionRefused,
        _ => SocksReply.GeneralFailure,
    };
}
