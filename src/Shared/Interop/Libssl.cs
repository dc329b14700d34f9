using System.Runtime.InteropServices;

namespace Aggregator.Interop;

/// <summary>openssl/ssl.h of the library that .NET's TLS uses. Found at run time, because its name has its version in it.</summary>
internal static unsafe class Libssl
{
    /// <summary>SSL_CTRL_MODE: SSL_set_mode is a macro around SSL_ctrl.</summary>
    private const int SSL_CTRL_MODE = 33;

    /// <summary>Frees the record buffers (16 KiB and more for each direction) whenever they are empty.</summary>
    private const nint SSL_MODE_RELEASE_BUFFERS = 0x10;

    /// <summary>In the order in which .NET itself tries them (System.Security.Cryptography.Native/opensslshim.c).</summary>
    private static readonly string[] Names = ["libssl.so.3", "libssl.so.1.1"];

    private static readonly delegate* unmanaged<nint, int, nint, nint, nint> SslCtrl;
    private static readonly delegate* unmanaged<nint, int> SslFreeBuffers;

#pragma warning disable CA1810 // Two pointers out of one library handle
    static Libssl()
#pragma warning restore CA1810
    {
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)
                && NativeLibrary.TryGetExport(library, "SSL_ctrl", out nint control)
                && NativeLibrary.TryGetExport(library, "SSL_free_buffers", out nint free))
            {
                SslCtrl = (delegate* unmanaged<nint, int, nint, nint, nint>)control;
                SslFreeBuffers = (delegate* unmanaged<nint, int>)free;
                return;
            }
        }
    }

    /// <returns>False: no library that we know.</returns>
    internal static bool ReleaseIdleBuffers(SafeHandle ssl)
    {
        if (SslCtrl == null)
        {
            return false;
        }

        bool added = false;
        try
        {
            ssl.DangerousAddRef(ref added);
            nint handle = ssl.DangerousGetHandle();
            nint modes = SslCtrl(handle, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, 0);
            // Those of the handshake are empty now; the mode frees a buffer only when it was used next.
            _ = SslFreeBuffers(handle);
            return (modes & SSL_MODE_RELEASE_BUFFERS) != 0;
        }
        finally
        {
            if (added)
            {
                ssl.DangerousRelease();
            }
        }
    }
}
