using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Aggregator.Settings;

namespace Aggregator.Identity;

/// <summary>
/// Who a daemon is: one ECDSA P-256 key for its whole life, kept in `identity.pem` (PKCS#8, 0600) of its state directory.
/// The certificate that TLS wants around it is made anew at each start; nobody looks at anything in it but the key.
/// </summary>
internal sealed class IdentityKey : IDisposable
{
    internal const string FileName = "identity.pem";

    /// <summary>A P-256 key in PEM has about 240 bytes.</summary>
    private const int MaxFileBytes = 4096;

    /// <summary>RFC 5280 section 4.1.2.5: the date that stands for "does not expire". Clocks of appliances may be decades off.</summary>
    private static readonly DateTimeOffset NoExpiry = new(9999, 12, 31, 23, 59, 59, TimeSpan.Zero);

    private static readonly DateTimeOffset LongAgo = new(1970, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private IdentityKey(X509Certificate2 certificate)
    {
        Certificate = certificate;
        Pin = KeyPin.Of(certificate);
        // Built once: else each handshake would build the chain again. Offline: nothing is ever fetched.
        CertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
    }

    /// <summary>Self-signed, with the private key.</summary>
    internal X509Certificate2 Certificate { get; }

    internal KeyPin Pin { get; }

    internal SslStreamCertificateContext CertificateContext { get; }

    /// <summary>The key in <paramref name="stateDirectory"/>; made there if there is none. Two processes that start at once get the same key.</summary>
    /// <exception cref="StateException">The directory or the file cannot be used; the message says what to do.</exception>
    internal static IdentityKey LoadOrCreate(string stateDirectory)
    {
        StateDirectory.Ensure(stateDirectory);
        string path = Path.Combine(stateDirectory, FileName);
        if (PrivateFile.TryRead(path, MaxFileBytes) is not { } content)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            AtomicFile.TryCreate(path, Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n"));
            // Read back in any case: another process may have been first.
            content = PrivateFile.TryRead(path, MaxFileBytes) ?? throw new StateException(path, "was removed while it was made; try again");
        }

        return Parse(path, content);
    }

    /// <summary>A key that is nowhere on the disk.</summary>
    internal static IdentityKey CreateEphemeral()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new IdentityKey(SelfSign(key));
    }

    public void Dispose() => Certificate.Dispose();

    private static IdentityKey Parse(string path, byte[] content)
    {
        try
        {
            using var key = ECDsa.Create();
            key.ImportFromPem(Encoding.ASCII.GetString(content));
            if (key.ExportParameters(includePrivateParameters: false).Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value)
            {
                throw new CryptographicException("not on the curve P-256");
            }

            return new IdentityKey(SelfSign(key));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new StateException(path, "is not a P-256 private key in PEM, it is damaged; put the file back from a backup, or remove it and pair again", e);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    private static X509Certificate2 SelfSign(ECDsa key) =>
        new CertificateRequest("CN=aggregator", key, HashAlgorithmName.SHA256).CreateSelfSigned(LongAgo, NoExpiry);
}
