using System.Net.Security;
using System.Reflection;

namespace Aggregator.Relay;

/// <summary>
/// What SslStream itself locks while it encrypts or decrypts. It does not while it builds the end of its direction (ShutdownAsync: SSL_shutdown, twice,
/// of which the second reads), and OpenSSL's connections are not made for two threads: a flow that we ended while its other direction was busy
/// ended the whole process now and then ("double free or corruption", once in some thousand flows), or broke that direction.
/// The lock is not public: it is looked for by name. A test holds the name.
/// </summary>
internal static class TlsGate
{
    private static readonly FieldInfo? Options =
        typeof(SslStream).GetField("_sslAuthenticationOptions", BindingFlags.Instance | BindingFlags.NonPublic);

    /// <summary>Null: this .NET calls it something else. Then connections are ended as .NET does it, and OpenSSL keeps its buffers, with which that is less of a danger.</summary>
    internal static object? Of(SslStream stream) => Options?.GetValue(stream);

    /// <summary>SslStream.ShutdownAsync, and nobody decrypts meanwhile. The lock is held until the bytes are handed to the transport, which does not wait.</summary>
    internal static Task ShutdownAsync(SslStream stream)
    {
        if (Of(stream) is not { } gate)
        {
            return stream.ShutdownAsync();
        }

        lock (gate)
        {
            return stream.ShutdownAsync();
        }
    }
}
