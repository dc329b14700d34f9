using System.Net.Security;
using System.Reflection;
using System.Runtime.InteropServices;
using Aggregator.Interop;

namespace Aggregator.Relay;

/// <summary>
/// OpenSSL keeps 33 KiB of record buffers for each connection, idle or not, unless told otherwise, and .NET does not tell it.
/// The SSL object is not public: it is looked for by name. Where a later .NET has other names, connections cost more and nothing else changes;
/// a test holds the names.
/// </summary>
internal static class TlsIdleMemory
{
    private static readonly FieldInfo? SecurityContext =
        typeof(SslStream).GetField("_securityContext", BindingFlags.Instance | BindingFlags.NonPublic);

    private static readonly PropertyInfo? SslContext =
        SecurityContext?.FieldType.GetProperty("SslContext", BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

    /// <summary>To be called after the handshake, while nobody reads or writes.</summary>
    /// <returns>Whether idle buffers are freed from now on.</returns>
    internal static bool Release(SslStream stream) =>
        TlsGate.Of(stream) is not null
        && SecurityContext?.GetValue(stream) is { } context
        && (context as SafeHandle ?? SslContext?.GetValue(context) as SafeHandle) is { IsInvalid: false } ssl
        && Libssl.ReleaseIdleBuffers(ssl);
}
