using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Cli;
using Aggregator.Identity;
using Aggregator.Protocol.V1;
using Aggregator.Settings;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Proves a pairing line's code to the VPS. One short call over plain TCP on the host's default route: it works before anything is
/// configured.
/// </summary>
internal static class PairingClient
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(15);

    /// <returns>The node to store.</returns>
    /// <exception cref="CliException">Nobody, or somebody else, is there, or the code was refused.</exception>
    internal static async Task<PairedNode> PairAsync(PairingUri line, IdentityKey identity, string wantedName, CancellationToken cancellationToken)
    {
        await using var stream = await ConnectAsync(line, identity, cancellationToken);
        Stream? only = stream;
        var handler = new SocketsHttpHandler
        {
            // One connection, made above, so that its errors are told apart.
            ConnectCallback = (_, _) => ValueTask.FromResult(
                Interlocked.Exchange(ref only, null) ?? throw new IOException("the connection broke")),
        };
        // http as the control session says it: TLS is there already, below what either side's HTTP knows of.
        using var channel = GrpcChannel.ForAddress("http://vps", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        var proof = PairingCode.Proof(PairingCode.Hash(line.Code), line.Pin, identity.Pin);
        try
        {
            var reply = await new Pairing.PairingClient(channel).PairAsync(
                new PairRequest { Proof = ByteString.CopyFrom(proof), Name = wantedName },
                new CallOptions(deadline: TimeProvider.System.GetUtcNow().UtcDateTime + CallTimeout, cancellationToken: cancellationToken));
            return Values.Name(reply.GatewayName).Problem is { } problem
                ? throw new CliException($"the VPS gave this gateway no usable name ({problem}); update the VPS")
                : new PairedNode(line.Hosts, line.Port, line.Pin, reply.GatewayName);
        }
        catch (RpcException e)
        {
            throw new CliException(Explain(e.Status), inner: e);
        }
    }

    private static string Explain(Grpc.Core.Status status) => status.StatusCode switch
    {
        StatusCode.PermissionDenied => "the code was refused: it is wrong, was used already or has expired; get a new line with `aggregator-vps pair` on the VPS",
        StatusCode.ResourceExhausted => "the VPS takes no more tries from this address for now (too many wrong codes); try again in a minute",
        StatusCode.DeadlineExceeded => $"the VPS did not answer within {CallTimeout.TotalSeconds:F0} s; try again, and look at its log if that does not help",
        _ => $"pairing failed ({status.StatusCode}: {status.Detail.ReplaceLineEndings(" ")}); look at the log of the VPS",
    };

    /// <summary>Host after host, address after address; the failure told is that of the last.</summary>
    private static async Task<SslStream> ConnectAsync(PairingUri line, IdentityKey identity, CancellationToken cancellationToken)
    {
        CliException? failure = null;
        foreach (string host in line.Hosts)
        {
            string shown = $"{PairingUri.Bracketed(host)}:{line.Port}";
            IPAddress[] addresses;
            try
            {
                addresses = await Dns.GetHostAddressesAsync(host, cancellationToken);
            }
            catch (SocketException e)
            {
                failure = new CliException($"{host}: {Reason.Of(e)}; check the name and this host's DNS", inner: e);
                continue;
            }

            foreach (var address in addresses)
            {
                try
                {
                    return await ConnectAsync(new IPEndPoint(address, line.Port), shown, line.Pin, identity, cancellationToken);
                }
                catch (CliException e)
                {
                    failure = e;
                }
            }
        }

        throw failure ?? new CliException($"{line.Hosts[0]} has no address; check the name and this host's DNS");
    }

    private static async Task<SslStream> ConnectAsync(
        IPEndPoint endPoint, string shown, KeyPin expected, IdentityKey identity, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(ConnectTimeout);
        KeyPin? stranger = null;
        var client = new TcpClient(endPoint.AddressFamily) { NoDelay = true };
        SslStream? tls = null;
        try
        {
            await client.ConnectAsync(endPoint, timeout.Token);
            tls = new SslStream(client.GetStream());
            await tls.AuthenticateAsClientAsync(PinnedTls.ClientOptions(identity, expected, PinnedTls.Grpc, pin => stranger = pin), timeout.Token);
            return tls;
        }
        catch (Exception e) when (e is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            bool connected = tls is not null;
            if (tls is not null)
            {
                await tls.DisposeAsync();
            }

            client.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw new CliException((stranger, connected) switch
            {
                (not null, _) => $"the server at {shown} is not the one the pairing line is for (its key is {stranger}); check the line, or get a new one with `aggregator-vps pair`",
                (null, true) => $"whatever answers at {shown} is not an aggregator-vps ({Reason.Of(e)}); check host and port",
                _ => $"{shown} cannot be reached ({(e is OperationCanceledException ? "no answer" : Reason.Of(e))}); check host and port, the firewall, and that `aggregator-vps run` runs there",
            }, inner: e);
        }
    }
}
