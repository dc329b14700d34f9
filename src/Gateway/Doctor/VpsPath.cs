using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Gateway.Links;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Protocol.V1;
using Grpc.Net.Client;

namespace Aggregator.Gateway.Doctor;

/// <summary>gRPC to the VPS over one WAN and plain TCP: what is seen over it is seen of this WAN and no other.</summary>
internal sealed class VpsPath : IDisposable
{
    private readonly GrpcChannel _channel;

    private VpsPath(GrpcChannel channel, IPEndPoint local)
    {
        _channel = channel;
        Local = local;
        Client = new Diagnosis.DiagnosisClient(channel);
    }

    internal IPEndPoint Local { get; }

    internal Diagnosis.DiagnosisClient Client { get; }

    /// <exception cref="IOException">Nobody, or somebody else, answered; the message says which.</exception>
    /// <exception cref="OperationCanceledException"/>
    internal static async Task<VpsPath> ConnectAsync(
        ProbePath path, IdentityKey identity, KeyPin pin, CancellationToken cancellationToken)
    {
        KeyPin? stranger = null;
        var socket = new Socket(path.Target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        SslStream? tls = null;
        try
        {
            SocketOptions.SetNoDelay(socket);
            WanSocket.Bind(socket, path.Interface, path.Source);
            await socket.ConnectAsync(path.Target, cancellationToken);
            var local = (IPEndPoint)socket.LocalEndPoint!;
            tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await tls.AuthenticateAsClientAsync(PinnedTls.ClientOptions(identity, pin, PinnedTls.Grpc, p => stranger = p), cancellationToken);
            return new VpsPath(ChannelOver(tls), local);
        }
        catch (Exception e) when (e is AuthenticationException or SocketException or IOException)
        {
            socket.Dispose();
            throw new IOException(stranger is null
                ? $"the VPS does not answer there ({Settings.Reason.Of(e)})"
                : $"somebody else than the VPS answers there (key {stranger})", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose() => _channel.Dispose();

    private static GrpcChannel ChannelOver(Stream stream)
    {
        Stream? only = stream;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = (_, _) => ValueTask.FromResult(
                Interlocked.Exchange(ref only, null) ?? throw new IOException("the connection broke")),
            UseProxy = false,
            AllowAutoRedirect = false,
        };
        return GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }
}
