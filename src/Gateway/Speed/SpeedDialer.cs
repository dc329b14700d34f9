using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Identity;
using Aggregator.Mptcp;
using Aggregator.Relay;
using Aggregator.Speed;

namespace Aggregator.Gateway.Speed;

/// <summary>Makes test connections: bound to one WAN or to none, plain TCP or MPTCP, TLS with both keys checked.</summary>
internal sealed class SpeedDialer(IdentityKey identity, KeyPin vps, TimeProvider time)
{
    /// <summary>Three round trips of a satellite, with a lost packet among them; a stripped MP_CAPABLE costs three seconds.</summary>
    private static readonly TimeSpan DialTime = TimeSpan.FromSeconds(6);

    private readonly System.Net.Security.SslClientAuthenticationOptions _tls = PinnedTls.ClientOptions(identity, vps, PinnedTls.Speed);

    /// <summary>
    /// A connection over one WAN: bound to its device and its address. Plain TCP stays on it for good; an MPTCP connection only begins there,
    /// because the kernel's path manager joins it from the other WANs.
    /// </summary>
    /// <exception cref="IOException">Why it did not come about, in one sentence.</exception>
    internal async Task<SpeedStream> DialAsync(SpeedPath path, bool mptcp, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(DialTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        Socket socket = mptcp ? MptcpSocket.Create(path.Vps.AddressFamily) : TcpSocket.Create(path.Vps.AddressFamily);
        try
        {
            SocketOptions.SetNoDelay(socket);
            SocketOptions.BindToDevice(socket, path.Interface);
            socket.Bind(new IPEndPoint(path.Source, 0));
            await socket.ConnectAsync(path.Vps, either.Token);
            MptcpVerdict atConnect = MptcpCheck.VerdictOf(socket);
            var tls = await TlsByteStream.ConnectAsync(socket, _tls, either.Token);
            return new SpeedStream(tls, socket, atConnect);
        }
        catch (Exception e) when (e is SocketException or AuthenticationException or IOException)
        {
            socket.Dispose();
            throw new IOException(e is AuthenticationException ? "the VPS does not take test connections (too old?)" : e.Message, e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new IOException($"the VPS does not answer over it within {DialTime.TotalSeconds:0} s");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Several at once.</summary>
    /// <exception cref="IOException">One of them failed; the others are closed.</exception>
    internal async Task<SpeedStream[]> DialAsync(SpeedPath path, int count, CancellationToken cancellationToken)
    {
        Task<SpeedStream>[] dials = [.. Enumerable.Range(0, count).Select(_ => DialAsync(path, mptcp: false, cancellationToken))];
        try
        {
            return await Task.WhenAll(dials);
        }
        catch
        {
            foreach (Task<SpeedStream> dial in dials)
            {
                if (dial.IsCompletedSuccessfully)
                {
                    await (await dial).DisposeAsync();
                }
            }

            throw;
        }
    }
}
