using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Aggregator.Flows;
using Aggregator.Interop;
using Aggregator.Mptcp;
using Microsoft.Extensions.Logging;

namespace Aggregator.Gateway.Carriers;

/// <summary>
/// Makes MPTCP connections to the VPS whose first subflow starts on a WAN of the selector's choice: for each address of the VPS, WAN after WAN
/// (<see cref="ConnectRace"/>), until one attempt has succeeded to its end (TLS and all, by <c>complete</c>).
/// </summary>
internal sealed class VpsConnector(IWanSelector wans, CarrierLimits limits, TimeProvider time, ILogger logger, IVpsMemory? memory = null)
{
    /// <summary>linux/in.h</summary>
    private const int IP_BIND_ADDRESS_NO_PORT = 24;

    /// <summary>A dead path of an idle connection is noticed after 30 + 3 × 10 s, and home routers keep the mapping.</summary>
    private static readonly TimeSpan KeepAliveIdle = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(10);

    private const int KeepAliveProbes = 3;

    private VpsNames _names = new(limits, time, static host => Dns.GetHostAddressesAsync(host), memory);

    /// <summary>Told of each connection that came about; null: the kernel's own path manager sees to them, or nobody.</summary>
    internal IConnectionPaths? Paths { get; init; }

    /// <summary>The same over other WANs; names are looked up for both.</summary>
    internal VpsConnector Over(IWanSelector others) => new(others, limits, time, logger, memory) { Paths = Paths, _names = _names };

    /// <summary>The VPS's addresses, best first.</summary>
    /// <exception cref="IOException">None is known.</exception>
    internal ValueTask<IPAddress[]> ResolveAsync(VpsTarget target, CancellationToken cancellationToken) => _names.ResolveAsync(target, cancellationToken);

    /// <summary>Whoever answered there has the paired key: the address is kept in use, whatever the resolver says from now on.</summary>
    internal void Proven(VpsTarget target, IPAddress address) => _names.Proven(target, address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);

    /// <summary>A dial that was to prove it came to nothing.</summary>
    internal void NotReached() => _names.NotReached();

    /// <param name="complete">Makes something of a connected socket, which it owns from then on; IOException and AuthenticationException are failed attempts.</param>
    /// <exception cref="DialException">No attempt succeeded.</exception>
    internal async Task<T> ConnectAsync<T>(
        VpsTarget target, Func<Socket, WanPath, CancellationToken, Task<T>> complete, CancellationToken cancellationToken)
    {
        using var total = new CancellationTokenSource(limits.TotalDialTimeout, time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(total.Token, cancellationToken);
        Exception? last = null;
        try
        {
            IPAddress[] addresses = await _names.ResolveAsync(target, ending.Token);
            await using var race = new ConnectRace(addresses, target.Port, wans, ConnectSocketAsync, limits, time, logger);
            while (await race.NextAsync(ending.Token) is { } connected)
            {
                try
                {
                    T made = await WithinAsync(token => complete(connected.Socket, connected.Path, token), ending.Token);
                    Paths?.Keep(connected.Socket, connected.Path);
                    return made;
                }
                catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
                {
                    connected.Socket.Dispose();
                    last = e;
                    logger.DialFailed(string.Join(", ", target.Hosts), connected.Path.Interface ?? "any WAN", e.Message);
                }
                catch
                {
                    connected.Socket.Dispose();
                    throw;
                }
            }
            last ??= race.LastError;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            last ??= new IOException("it took too long");
        }
        catch (IOException e)
        {
            last = e;
        }
        OpenResult result = last is DialException dial ? dial.Result : OpenResult.NoCarrier;
        throw new DialException(last?.Message ?? "no WAN is up that can reach it", result, last);
    }

    private Task<Socket> ConnectSocketAsync(IPEndPoint remote, WanPath path, CancellationToken cancellationToken) => WithinAsync(
        async token =>
        {
            // A new descriptor for each attempt: on a refused one a second connect hangs.
            Socket socket = MptcpSocket.Create(remote.AddressFamily);
            try
            {
                Prepare(socket, path);
                await socket.ConnectAsync(remote, token);
                return socket;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
        cancellationToken);

    /// <summary>Gives each of the two steps of an attempt (connect, handshake) its time.</summary>
    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> step, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limits.DialTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            return await step(either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"no answer within {limits.DialTimeout.TotalSeconds:0.#} s");
        }
    }

    private static void Prepare(Socket socket, WanPath path)
    {
        CongestionChoice.Wait(socket);
        SocketOptions.SetNoDelay(socket);
        SocketOptions.SetKeepAlive(socket, KeepAliveIdle, KeepAliveInterval, KeepAliveProbes);
        if (path.Interface is { } device)
        {
            SocketOptions.BindToDevice(socket, device);
        }
        if (path.Source is { } source)
        {
            try
            {
                // Else a port is taken that no other connection of this address may have: 28,000 in all instead of for each peer.
                socket.SetRawSocketOption(Libc.SOL_IP, IP_BIND_ADDRESS_NO_PORT, BitConverter.GetBytes(1));
            }
            catch (SocketException)
            {
                // Kernels before 6.8 do not have it on MPTCP; the fewer ports do then.
            }
            socket.Bind(new IPEndPoint(source, 0));
        }
    }
}
