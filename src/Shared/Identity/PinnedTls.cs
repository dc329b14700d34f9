#pragma warning disable CA1416 // CipherSuitesPolicy is not for Windows; neither are we
#pragma warning disable CA5398 // TLS 1.3 by name: both ends are ours, and older versions are excluded on purpose
using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Aggregator.Identity;

/// <summary>
/// TLS 1.3 with a certificate on both sides, of which only the public key counts: names, dates and authorities are not looked at.
/// Sessions are resumed (the later handshakes of a gateway skip both signatures); the callbacks run on resumption too, with the peer's
/// certificate of the first handshake, so a pin that was revoked meanwhile is seen.
/// </summary>
internal static class PinnedTls
{
    /// <summary>ALPN `h2`: gRPC.</summary>
    internal static readonly SslApplicationProtocol Grpc = SslApplicationProtocol.Http2;

    /// <summary>ALPN `aggregator/1`: data connections (proto/flow.md).</summary>
    internal static readonly SslApplicationProtocol Lane = new("aggregator/1");

    /// <summary>ALPN `aggregator-trunk/1`: lanes of a trunk (proto/trunk.md).</summary>
    internal static readonly SslApplicationProtocol TrunkLane = new("aggregator-trunk/1");

    /// <summary>ALPN `aggregator-speed/1`: connections of a speed test (proto/speed.md).</summary>
    internal static readonly SslApplicationProtocol Speed = new("aggregator-speed/1");

    /// <summary>
    /// What the gateway offers. AES-128 is about a tenth quicker than AES-256 and as far out of anybody's reach; ChaCha20 is the quick one
    /// where the processor has no instructions for AES. The server chooses by OpenSSL's order (AES-256, ChaCha20, AES-128), so the offer is what decides. AES-128 is in every
    /// implementation (RFC 8446, 9.1). Not for the server: with a policy .NET makes an SSL_CTX for each connection, 12 KiB each.
    /// </summary>
    private static readonly CipherSuitesPolicy Offer = new(HasAes
        ? [TlsCipherSuite.TLS_AES_128_GCM_SHA256]
        : [TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256, TlsCipherSuite.TLS_AES_128_GCM_SHA256]);

    private const string P256 = "1.2.840.10045.3.1.7";
    private const string EcPublicKey = "1.2.840.10045.2.1";

    /// <summary>
    /// For the VPS: any peer that proves to have some P-256 key gets through the handshake. The caller looks at <see cref="PeerPin"/> next.
    /// </summary>
    internal static SslServerAuthenticationOptions ServerOptions(IdentityKey own, params SslApplicationProtocol[] alpn) => new()
    {
        ServerCertificateContext = own.CertificateContext,
        ClientCertificateRequired = true,
        EnabledSslProtocols = SslProtocols.Tls13,
        ApplicationProtocols = [.. alpn],
        AllowRenegotiation = false,
        AllowTlsResume = true,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = TrustNothing(),
        RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 c && HasP256Key(c),
    };

    /// <summary>For the gateway: goes on only with the server whose key is <paramref name="expected"/>.</summary>
    /// <param name="own">What we show.</param>
    /// <param name="expected">The VPS's pin.</param>
    /// <param name="alpn"><see cref="Grpc"/>, <see cref="Lane"/> or <see cref="TrunkLane"/>.</param>
    /// <param name="rejected">Told the pin of a server that has another key, just before the handshake fails with <see cref="AuthenticationException"/>.</param>
    internal static SslClientAuthenticationOptions ClientOptions(
        IdentityKey own,
        KeyPin expected,
        SslApplicationProtocol alpn,
        Action<KeyPin>? rejected = null) => new()
    {
        // Sent in clear (SNI) and the key under which sessions are kept for resumption, so: always the same, and nobody's name.
        TargetHost = "aggregator",
        ClientCertificateContext = own.CertificateContext,
        EnabledSslProtocols = SslProtocols.Tls13,
        ApplicationProtocols = [alpn],
        CipherSuitesPolicy = Offer,
        AllowRenegotiation = false,
        AllowTlsResume = true,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = TrustNothing(),
        RemoteCertificateValidationCallback = (_, certificate, _, _) => IsExpected(certificate, expected, rejected),
    };

    /// <summary>The pin of the key that the peer proved to have.</summary>
    /// <exception cref="AuthenticationException">The peer showed none (cannot be after a handshake with the options above).</exception>
    internal static KeyPin PeerPin(SslStream stream) => stream.RemoteCertificate is X509Certificate2 c
        ? KeyPin.Of(c)
        : throw new AuthenticationException("the peer showed no certificate");

    private static bool HasAes => System.Runtime.Intrinsics.X86.Aes.IsSupported || System.Runtime.Intrinsics.Arm.Aes.IsSupported;

    private static bool IsExpected(X509Certificate? certificate, KeyPin expected, Action<KeyPin>? rejected)
    {
        if (certificate is not X509Certificate2 c)
        {
            return false;
        }

        var pin = KeyPin.Of(c);
        if (pin == expected)
        {
            return true;
        }

        rejected?.Invoke(pin);
        return false;
    }

    /// <summary>Other keys would be let in by nobody, and large RSA keys cost the server time.</summary>
    private static bool HasP256Key(X509Certificate2 certificate) =>
        certificate.PublicKey.Oid.Value == EcPublicKey
        && certificate.PublicKey.EncodedParameters?.RawData is [0x06, 0x08, ..] parameters
        && AsnDecoder.ReadObjectIdentifier(parameters, AsnEncodingRules.DER, out _) == P256;

    /// <summary>
    /// .NET builds a chain before it asks the callback. This makes that cheap (no store is read) and keeps it off the network (a hostile
    /// certificate may name places to fetch its issuer from).
    /// </summary>
    private static X509ChainPolicy TrustNothing() => new()
    {
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        VerificationFlags = X509VerificationFlags.AllFlags,
    };
}
