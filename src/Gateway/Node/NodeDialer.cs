using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Gateway.Carriers;
using Aggregator.Identity;

namespace Aggregator.Gateway.Node;

/// <summary>
/// Dials the VPS for control as the carrier dials it for data: MPTCP, WAN after WAN. A second attempt starts while the first is still
/// waiting, because a SYN that was lost while the VPS was away is sent again only after a second or three.
/// </summary>
internal sealed class NodeDialer(VpsConnector connector, IdentityKey identity, TimeProvider time) : INodeDialer
{
    /// <summary>Longer than a satellite's round trip, so that a second attempt is rare where all is well.</summary>
    private static readonly TimeSpan Stagger = TimeSpan.FromMilliseconds(900);

    /// <summary>Attempts under way at once; with the stagger they span more than one attempt's own time-out.</summary>
    private const int MaxAttempts = 4;

    public async ValueTask<Stream> DialAsync(PairedNode node, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var attempts = new List<Task<Stream>>(MaxAttempts);
        try
        {
            while (true)
            {
                if (attempts.Count < MaxAttempts)
                {
                    attempts.Add(AttemptAsync(node, ending.Token));
                }

                Task stagger = Task.Delay(Stagger, time, ending.Token);
                Task first = await Task.WhenAny(attempts.Append(stagger));
                if (first is Task<Stream> ended)
                {
                    // Refused or answered: either way somebody spoke, and waiting for the others would not help.
                    attempts.Remove(ended);
                    return await ended;
                }

                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            await ending.CancelAsync();
            foreach (Task<Stream> attempt in attempts)
            {
                await DiscardAsync(attempt);
            }
        }
    }

    private async Task<Stream> AttemptAsync(PairedNode node, CancellationToken cancellationToken)
    {
        KeyPin? stranger = null;
        var options = PinnedTls.ClientOptions(identity, node.Pin, PinnedTls.Grpc, pin => stranger = pin);
        var target = new VpsTarget(node.Hosts, node.Port, node.Pin);
        try
        {
            return await connector.ConnectAsync<Stream>(
                target,
                async (socket, _, token) =>
                {
                    var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
                    try
                    {
                        await tls.AuthenticateAsClientAsync(options, token);
                        if (socket.RemoteEndPoint is IPEndPoint remote)
                        {
                            connector.Proven(target, remote.Address);
                        }

                        return tls;
                    }
                    catch (AuthenticationException) when (stranger is { } pin)
                    {
                        await tls.DisposeAsync();
                        throw new IOException($"whoever answers at {node.Address} is not the VPS that was paired (its key is {pin})");
                    }
                    catch
                    {
                        await tls.DisposeAsync();
                        throw;
                    }
                },
                cancellationToken);
        }
        catch (DialException e)
        {
            connector.NotReached();
            throw new IOException(e.Message, e);
        }
    }

    /// <summary>An attempt that lost: closed if it still succeeds, and its failure is no news.</summary>
    private static async Task DiscardAsync(Task<Stream> attempt)
    {
        try
        {
            await (await attempt).DisposeAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or AuthenticationException)
        {
        }
    }
}
