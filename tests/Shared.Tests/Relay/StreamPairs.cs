using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Aggregator.Mptcp;
using Aggregator.Relay;

namespace Aggregator.Shared.Tests.Relay;

public enum Wire
{
    Tcp,
    Mptcp,
    Tls,
    TlsMptcp,
}

/// <summary>Connected ends over real sockets on loopback.</summary>
internal static class StreamPairs
{
    private static readonly X509Certificate2 Certificate = MakeCertificate();

    internal static async Task<(IByteStream Near, IByteStream Far)> ConnectAsync(Wire transport)
    {
        var (near, far) = await SocketsAsync(transport is Wire.Mptcp or Wire.TlsMptcp);
        if (transport is Wire.Tcp or Wire.Mptcp)
        {
            return (new SocketByteStream(near), new SocketByteStream(far));
        }

        var server = TlsByteStream.AcceptAsync(far, ServerOptions(), CancellationToken.None);
        var client = await TlsByteStream.ConnectAsync(near, ClientOptions(), CancellationToken.None);
        return (client, await server);
    }

    internal static SslServerAuthenticationOptions ServerOptions() =>
        new() { ServerCertificate = Certificate };

    internal static SslClientAuthenticationOptions ClientOptions() =>
        new() { TargetHost = "test", RemoteCertificateValidationCallback = (_, _, _, _) => true };

    internal static async Task<(Socket Near, Socket Far)> SocketsAsync(bool mptcp)
    {
        using var listener = Make(mptcp);
        // MPTCP joins are refused unless the wildcard address is bound.
        listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        listener.Listen(1);
        var near = Make(mptcp);
        await near.ConnectAsync(new IPEndPoint(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndPoint!).Port));
        var far = await listener.AcceptAsync();
        near.NoDelay = true;
        far.NoDelay = true;
        return (near, far);
    }

    internal static Socket SocketOf(IByteStream stream) =>
        stream is TlsByteStream tls ? tls.Socket : ((SocketByteStream)stream).Socket;

    private static Socket Make(bool mptcp) => mptcp
        ? MptcpSocket.Create(AddressFamily.InterNetwork)
        : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        var start = new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
        return request.CreateSelfSigned(start, start.AddYears(100));
    }
}
