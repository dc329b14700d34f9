using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>The same calls over a Unix socket and over TLS.</summary>
public sealed class TransportTests
{
    [Fact]
    public async Task Unix_socket()
    {
        string path = Path.Combine(Path.GetTempPath(), $"grpc-{Guid.NewGuid():N}.sock");
        await using EchoHost host = await EchoHost.StartAsync(kestrel: options =>
            options.ListenUnixSocket(path, listen => listen.Protocols = HttpProtocols.Http2));
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using GrpcChannel channel = GrpcChannel.ForAddress(
            "http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        var client = new Echo.EchoClient(channel);
        EchoMessage answer = await client.UnaryAsync(new EchoMessage { Order = "context" });
        answer.Text.ShouldContain("host=localhost");
        using AsyncDuplexStreamingCall<EchoMessage, EchoMessage> chat = client.Chat();
        await chat.RequestStream.WriteAsync(new EchoMessage { Text = "over unix" });
        (await chat.ResponseStream.MoveNext()).ShouldBeTrue();
        chat.ResponseStream.Current.Text.ShouldBe("over unix");
    }

    [Fact]
    public async Task Tls_with_certificates_both_ways()
    {
        using X509Certificate2 server = Certificate("server.test");
        using X509Certificate2 own = Certificate("client.test");
        await using EchoHost host = await EchoHost.StartAsync(kestrel: options => options.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(https =>
            {
                https.ServerCertificate = server;
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (certificate, _, _) => certificate.Thumbprint == own.Thumbprint;
            });
        }));
        var handler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                ClientCertificates = [own],
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 { Thumbprint: var seen } && seen == server.Thumbprint,
            },
        };
        using GrpcChannel channel = GrpcChannel.ForAddress(
            new Uri(host.Address), new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        EchoMessage answer = await new Echo.EchoClient(channel).UnaryAsync(new EchoMessage { Order = "context" });
        answer.Text.ShouldContain("authenticated=True");

        // A server with another key is refused before anything is sent.
        using GrpcChannel strict = GrpcChannel.ForAddress(host.Address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = (_, _, _, _) => false },
            },
            DisposeHttpClient = true,
        });
        RpcException refused = await Should.ThrowAsync<RpcException>(
            () => new Echo.EchoClient(strict).UnaryAsync(new EchoMessage()).ResponseAsync);
        refused.StatusCode.ShouldBe(StatusCode.Unavailable, refused.ToString());
    }

    private static X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}
