using System.Net.Http;
using System.Net.Sockets;
using Aggregator.Settings;
using Grpc.Net.Client;

namespace Aggregator.Cli;

/// <summary>gRPC to the daemon of this host, over its Unix socket.</summary>
internal sealed class LocalClient : IDisposable
{
    /// <summary>The name in the calls' authority; the socket says who it really is.</summary>
    private const string Address = "http://localhost";

    private LocalClient(GrpcChannel channel) => Channel = channel;

    /// <summary>For the generated clients: `new GatewayLocal.GatewayLocalClient(local.Channel)`.</summary>
    internal GrpcChannel Channel { get; }

    /// <summary>Connects, so that a daemon that is not there is known before any call.</summary>
    /// <param name="socketPath">`api` of the configuration.</param>
    /// <param name="startCommand">What starts the daemon, for the message.</param>
    /// <exception cref="CliException">Exit code 3 where no daemon answers; 1 where we may not open the socket.</exception>
    internal static async Task<LocalClient> ConnectAsync(string socketPath, string startCommand, CancellationToken cancellationToken) =>
        await TryConnectAsync(socketPath, cancellationToken)
        ?? throw new CliException($"the daemon is not running (no answer on {socketPath}); start it with `{startCommand}`", ExitCode.NotRunning);

    /// <summary>As above for commands that also work without a daemon.</summary>
    /// <returns>Null: none is running.</returns>
    internal static async Task<LocalClient?> TryConnectAsync(string socketPath, CancellationToken cancellationToken)
    {
        Socket? first;
        try
        {
            first = await DialAsync(socketPath, cancellationToken);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AccessDenied)
        {
            throw new CliException($"{socketPath} may not be opened by this user; run this as root or as the daemon's user", inner: e);
        }
        // The file is left over, not there, or something else: nobody listens.
        catch (SocketException)
        {
            return null;
        }

        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                // The connection of the test is the first; should it break, there are more.
                var socket = Interlocked.Exchange(ref first, null) ?? await DialAsync(socketPath, cancel);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new LocalClient(GrpcChannel.ForAddress(Address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true }));
    }

    public void Dispose() => Channel.Dispose();

    private static async Task<Socket> DialAsync(string socketPath, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
