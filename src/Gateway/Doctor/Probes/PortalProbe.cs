using System.Net;
using System.Net.Sockets;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;
using Aggregator.Settings;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>What plain HTTP over one WAN met with.</summary>
/// <param name="Answer">Null: nobody answered with HTTP.</param>
/// <param name="Problem">Why there is no answer.</param>
internal sealed record PortalView(HttpAnswer? Answer, string? Problem);

/// <summary>
/// Asks a web server over one WAN as a portal's victim would: plain HTTP, which portals answer in the server's place (RFC 8952 section 1).
/// </summary>
internal static class PortalProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    internal static async Task<PortalView> RunAsync(
        ProbePath path, IPEndPoint server, string host, string httpPath, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            WanSocket.Bind(socket, path.Interface, path.Source);
            await socket.ConnectAsync(server, either.Token);
            return await HttpProbe.AskAsync(socket, host, httpPath, either.Token) is { } answer
                ? new PortalView(answer, null)
                : new PortalView(null, "something answers that does not speak HTTP");
        }
        catch (SocketException e)
        {
            return new PortalView(null, Reason.Of(e));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new PortalView(null, "no answer");
        }
    }
}
