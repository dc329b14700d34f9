namespace Aggregator.Gateway.Ingress;

/// <summary>How far a SOCKS5 message has come.</summary>
internal enum SocksParse
{
    /// <summary>A valid beginning. Ask again with more bytes, from the message's first.</summary>
    NeedMore,

    Done,

    /// <summary>Another protocol (SOCKS4, HTTP, TLS, garbage) or a broken message: nothing of ours can be answered to it.</summary>
    Bad,

    /// <summary>A command that RFC 1928 does not have. Reply 07.</summary>
    BadCommand,

    /// <summary>An address type that RFC 1928 does not have. Its length is unknown, so nothing after it can be read. Reply 08.</summary>
    BadAddressType,
}

/// <summary>Methods that a client offers and we know (RFC 1928 section 3).</summary>
[Flags]
internal enum SocksMethods
{
    None = 0,

    /// <summary>X'00'</summary>
    NoAuthentication = 1,

    /// <summary>X'02'</summary>
    UsernamePassword = 2,
}

/// <summary>RFC 1928 section 4.</summary>
internal enum SocksCommand : byte
{
    Connect = 1,
    Bind = 2,
    UdpAssociate = 3,
}

/// <summary>RFC 1928 section 6.</summary>
internal enum SocksReply : byte
{
    Succeeded = 0,
    GeneralFailure = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    TtlExpired = 6,
    CommandNotSupported = 7,
    AddressTypeNotSupported = 8,
}
