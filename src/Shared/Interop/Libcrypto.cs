using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>openssl/evp.h of the library that .NET's TLS uses: X25519 (RFC 7748), which .NET 10 has no class for. Found at run time, because its name has its version in it.</summary>
internal static unsafe class Libcrypto
{
    internal const int X25519Bytes = 32;

    /// <summary>NID_X25519 of openssl/obj_mac.h.</summary>
    private const int X25519 = 1034;

    /// <summary>In the order in which .NET itself tries them (System.Security.Cryptography.Native/opensslshim.c).</summary>
    private static readonly string[] Names = ["libcrypto.so.3", "libcrypto.so.1.1"];

    private static readonly delegate* unmanaged<int, nint, byte*, nuint, nint> NewPrivate;
    private static readonly delegate* unmanaged<nint, byte*, nuint*, int> GetPublic;
    private static readonly delegate* unmanaged<nint, void> Free;

#pragma warning disable CA1810 // Three pointers out of one library handle
    static Libcrypto()
#pragma warning restore CA1810
    {
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)
                && NativeLibrary.TryGetExport(library, "EVP_PKEY_new_raw_private_key", out nint make)
                && NativeLibrary.TryGetExport(library, "EVP_PKEY_get_raw_public_key", out nint get)
                && NativeLibrary.TryGetExport(library, "EVP_PKEY_free", out nint free))
            {
                NewPrivate = (delegate* unmanaged<int, nint, byte*, nuint, nint>)make;
                GetPublic = (delegate* unmanaged<nint, byte*, nuint*, int>)get;
                Free = (delegate* unmanaged<nint, void>)free;
                return;
            }
        }
    }

    /// <summary>The public key that belongs to a private one. Both have <see cref="X25519Bytes"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">There is no OpenSSL 1.1.1 or later.</exception>
    internal static void X25519PublicKey(ReadOnlySpan<byte> privateKey, Span<byte> publicKey)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(privateKey.Length, X25519Bytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(publicKey.Length, X25519Bytes);
        if (NewPrivate == null)
        {
            throw new PlatformNotSupportedException("OpenSSL 1.1.1 or later (libcrypto) is not installed; keys for WireGuard need it");
        }

        nint key;
        fixed (byte* secret = privateKey)
        {
            key = NewPrivate(X25519, 0, secret, X25519Bytes);
        }

        if (key == 0)
        {
            throw new PlatformNotSupportedException("this OpenSSL has no X25519; keys for WireGuard need it");
        }

        try
        {
            nuint length = X25519Bytes;
            fixed (byte* open = publicKey)
            {
                if (GetPublic(key, open, &length) != 1)
                {
                    throw new PlatformNotSupportedException("this OpenSSL computes no X25519 public key");
                }
            }
        }
        finally
        {
            Free(key);
        }
    }
}
