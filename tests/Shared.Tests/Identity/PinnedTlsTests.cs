using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Aggregator.Identity;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Identity;

/// <summary>Real handshakes over loopback.</summary>
public sealed class PinnedTlsTests : IDisposable
{
    private readonly IdentityKey _vps = IdentityKey.CreateEphemeral();
    private readonly IdentityKey _gateway = IdentityKey.CreateEphemeral();

    public void Dispose()
    {
        _vps.Dispose();
        _gateway.Dispose();
    }

    [Fact]
    public async Task Each_side_learns_the_others_pin_and_the_protocol()
    {
        var server = PinnedTls.ServerOptions(_vps, PinnedTls.Grpc, PinnedTls.Lane);
        var (seen, error) = await HandshakeAsync(server, PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane));

        error.ShouldBeNull();
        seen!.Pin.ShouldBe(_gateway.Pin);
        seen.Protocol.ShouldBe(SslProtocols.Tls13);
        seen.Alpn.ShouldBe(PinnedTls.Lane);
    }

    [Fact]
    public async Task Another_server_key_ends_the_handshake_and_is_told()
    {
        using var impostor = IdentityKey.CreateEphemeral();
        KeyPin? rejected = null;
        var client = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Grpc, pin => rejected = pin);

        var (_, error) = await HandshakeAsync(PinnedTls.ServerOptions(impostor, PinnedTls.Grpc), client);

        error.ShouldBeOfType<AuthenticationException>();
        rejected.ShouldBe(impostor.Pin);
    }

    [Fact]
    public async Task Resumption_keeps_both_pins_and_gateways_apart()
    {
        using var other = IdentityKey.CreateEphemeral();
        var server = PinnedTls.ServerOptions(_vps, PinnedTls.Lane);
        var mine = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane);
        var theirs = PinnedTls.ClientOptions(other, _vps.Pin, PinnedTls.Lane);

        for (int i = 0; i < 10; i++)
        {
            (await HandshakeAsync(server, mine)).Seen!.Pin.ShouldBe(_gateway.Pin);
            (await HandshakeAsync(server, theirs)).Seen!.Pin.ShouldBe(other.Pin);
        }
    }

    [Fact]
    public async Task A_session_with_one_server_does_not_open_another()
    {
        using var impostor = IdentityKey.CreateEphemeral();
        var client = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane);
        (await HandshakeAsync(PinnedTls.ServerOptions(_vps, PinnedTls.Lane), client)).Error.ShouldBeNull();

        // The same client options, hence the same stored session, at a server that is not the one.
        (await HandshakeAsync(PinnedTls.ServerOptions(impostor, PinnedTls.Lane), client)).Error.ShouldBeOfType<AuthenticationException>();
    }

    [Fact]
    public async Task A_client_without_a_certificate_is_turned_away()
    {
        var client = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane);
        client.ClientCertificateContext = null;

        var (seen, _) = await HandshakeAsync(PinnedTls.ServerOptions(_vps, PinnedTls.Lane), client);

        seen.ShouldBeNull();
    }

    [Fact]
    public async Task A_client_with_an_RSA_key_is_turned_away()
    {
        using var rsa = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=x", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var client = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane);
        client.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true);

        var (seen, _) = await HandshakeAsync(PinnedTls.ServerOptions(_vps, PinnedTls.Lane), client);

        seen.ShouldBeNull();
    }

    [Fact]
    public async Task TLS_1_2_is_refused()
    {
        var client = PinnedTls.ClientOptions(_gateway, _vps.Pin, PinnedTls.Lane);
#pragma warning disable CA5398, CA5397
        client.EnabledSslProtocols = SslProtocols.Tls12;
#pragma warning restore CA5398, CA5397

        var (seen, error) = await HandshakeAsync(PinnedTls.ServerOptions(_vps, PinnedTls.Lane), client);

        seen.ShouldBeNull();
        error.ShouldNotBeNull();
    }

    private sealed record Seen(KeyPin Pin, SslProtocols Protocol, SslApplicationProtocol Alpn);

    /// <summary>What the server saw, and how the client's handshake failed. One byte goes each way, so tickets are received too.</summary>
    private static async Task<(Seen? Seen, Exception? Error)> HandshakeAsync(SslServerAuthenticationOptions server, SslClientAuthenticationOptions client)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync(listener, server);
        using var connection = new TcpClient { NoDelay = true };
        await connection.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        Exception? error = null;
        await using (var stream = new SslStream(connection.GetStream()))
        {
            try
            {
                await stream.AuthenticateAsClientAsync(client);
                await stream.WriteAsync(new byte[1]);
                await stream.ReadExactlyAsync(new byte[1]);
            }
            catch (Exception e) when (e is IOException or AuthenticationException)
            {
                error = e;
            }
        }

        return (await serving, error);
    }

    private static async Task<Seen?> ServeAsync(TcpListener listener, SslServerAuthenticationOptions options)
    {
        using var connection = await listener.AcceptTcpClientAsync();
        await using var stream = new SslStream(connection.GetStream());
        try
        {
            await stream.AuthenticateAsServerAsync(options);
            var seen = new Seen(PinnedTls.PeerPin(stream), stream.SslProtocol, stream.NegotiatedApplicationProtocol);
            await stream.ReadExactlyAsync(new byte[1]);
            await stream.WriteAsync(new byte[1]);
            return seen;
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            return null;
        }
    }
}
