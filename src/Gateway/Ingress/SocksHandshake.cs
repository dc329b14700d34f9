using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// A client's way from its first byte to a request, in RFC 1928's order: methods → (name and password) → request.
/// What is wrong is answered here; the caller only closes.
/// </summary>
internal sealed class SocksHandshake(IByteStream client, HandshakeBuffer buffer, SocksUsers users)
{
    internal FlowTarget Target { get; private set; }

    /// <summary>CONNECT or UDP ASSOCIATE, when there is a request.</summary>
    internal SocksCommand Command { get; private set; }

    /// <summary>Why there is no request; null when there is one.</summary>
    internal string? Problem { get; private set; }

    internal bool WrongCredentials { get; private set; }

    /// <summary>Whether a request came that is served here, its <see cref="Target"/> set and the bytes after it still in the buffer.</summary>
    /// <exception cref="IOException">The transport failed.</exception>
    internal async ValueTask<bool> RunAsync(CancellationToken cancellationToken) =>
        await AgreeOnMethodAsync(cancellationToken)
        && (!users.Required || await AuthenticateAsync(cancellationToken))
        && await ReadRequestAsync(cancellationToken);

    private async ValueTask<bool> AgreeOnMethodAsync(CancellationToken cancellationToken)
    {
        SocksMethods methods;
        while (true)
        {
            SocksParse parse = Socks5.ParseGreeting(buffer.Unread.Span, out methods, out int consumed);
            if (parse == SocksParse.Done)
            {
                buffer.Consume(consumed);
                break;
            }
            if (parse != SocksParse.NeedMore)
            {
                return Fail("not SOCKS5");
            }
            if (!await FillAsync(cancellationToken))
            {
                return false;
            }
        }
        SocksMethods wanted = users.Required ? SocksMethods.UsernamePassword : SocksMethods.NoAuthentication;
        bool agreed = methods.HasFlag(wanted);
        byte method = !agreed ? Socks5.MethodNotAcceptable : users.Required ? Socks5.MethodUsernamePassword : Socks5.MethodNone;
        await client.WriteAsync(new byte[] { Socks5.Version, method }, cancellationToken);
        return agreed || Fail(users.Required ? "it offers no user name and password" : "it insists on an authentication method that is not in use here");
    }

    private async ValueTask<bool> AuthenticateAsync(CancellationToken cancellationToken)
    {
        bool valid;
        while (true)
        {
            SocksParse parse = Socks5.ParseCredentials(buffer.Unread.Span, out var name, out var password, out int consumed);
            if (parse == SocksParse.Done)
            {
                valid = users.IsValid(name, password);
                buffer.Consume(consumed);
                break;
            }
            if (parse != SocksParse.NeedMore)
            {
                return Fail("its user name and password message is malformed");
            }
            if (!await FillAsync(cancellationToken))
            {
                return false;
            }
        }
        // RFC 1929: any status but 0 is a failure, and the connection must be closed.
        await client.WriteAsync(new byte[] { Socks5.CredentialsVersion, valid ? (byte)0 : (byte)1 }, cancellationToken);
        WrongCredentials = !valid;
        return valid || Fail("wrong user name or password");
    }

    private async ValueTask<bool> ReadRequestAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            SocksParse parse = Socks5.ParseRequest(buffer.Unread.Span, out SocksCommand command, out FlowTarget target, out int consumed);
            switch (parse)
            {
                case SocksParse.Done:
                    buffer.Consume(consumed);
                    if (command is not (SocksCommand.Connect or SocksCommand.UdpAssociate))
                    {
                        return await RefuseAsync(SocksReply.CommandNotSupported, $"command {command} is not supported", cancellationToken);
                    }
                    (Target, Command) = (target, command);
                    // Of UDP it is the client's own port, and 0 where it does not know it yet (RFC 1928 section 4).
                    return target.Port != 0 || command == SocksCommand.UdpAssociate || await RefuseAsync(SocksReply.GeneralFailure, "port 0 cannot be connected to", cancellationToken);
                case SocksParse.BadCommand:
                    return await RefuseAsync(SocksReply.CommandNotSupported, "unknown command", cancellationToken);
                case SocksParse.BadAddressType:
                    return await RefuseAsync(SocksReply.AddressTypeNotSupported, "unknown address type", cancellationToken);
                case SocksParse.Bad:
                    return await RefuseAsync(SocksReply.GeneralFailure, "its request is malformed", cancellationToken);
                default:
                    if (!await FillAsync(cancellationToken))
                    {
                        return false;
                    }
                    break;
            }
        }
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken) =>
        await buffer.FillAsync(client, cancellationToken) switch
        {
            FillResult.Filled => true,
            FillResult.Ended => Fail("it ended in the middle of its request"),
            _ => Fail("its request is too long"),
        };

    private async ValueTask<bool> RefuseAsync(SocksReply reply, string problem, CancellationToken cancellationToken)
    {
        byte[] message = new byte[Socks5.MaxReplyBytes];
        int length = Socks5.WriteReply(message, reply, null);
        await client.WriteAsync(message.AsMemory(0, length), cancellationToken);
        return Fail(problem);
    }

    private bool Fail(string problem)
    {
        Problem = problem;
        return false;
    }
}
