using System.Net;
using System.Net.Sockets;
using Aggregator.Doctor;

namespace Aggregator.Vps.Diagnosis;

/// <summary>Asks this host's own port 80, as a gateway's doctor does from outside.</summary>
internal static class OwnWeb
{
    /// <summary>A server on this very host answers in microseconds or is in trouble.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <param name="address">Of this host.</param>
    /// <param name="host">The Host header, which is what servers build redirects from.</param>
    /// <returns>Null: nobody answers there with HTTP.</returns>
    internal static async Task<HttpAnswer?> FetchAsync(IPAddress address, string host, TimeProvider time, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, HttpProbe.Port), either.Token);
            return await HttpProbe.AskAsync(socket, host, HttpProbe.Path, either.Token);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }
}
