using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;
using Aggregator.Gateway.Packets;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>A WAN as a host on the internet that a packet through the VPS can be sent to.</summary>
/// <param name="Link">Its name.</param>
internal sealed record NatWitness(string Link, ProbePath Path);

/// <summary>What witnesses saw of one socket behind the VPS's translation.</summary>
/// <param name="Local">Our end in the tunnel.</param>
/// <param name="Seen">As each witness saw it, with the witness's own address as the internet sees it; null: nothing reached it.</param>
/// <param name="FromOtherAddress">Whether a datagram came in from an address that was not written to; null: not known, or there is no other.</param>
/// <param name="FromOtherPort">The same of another port of an address that was written to.</param>
internal sealed record VpsNatView(IPEndPoint Local, ImmutableArray<(string Link, IPEndPoint Public, IPEndPoint? Seen)> Seen, bool? FromOtherAddress, bool? FromOtherPort);

/// <summary>
/// The VPS's translation of UDP after RFC 5780 sections 4.3 and 4.4, with this gateway's own WANs as the hosts on the internet: what leaves through the tunnel is sent to the
/// WANs' public addresses, which see whom it comes from, and which write back from where nobody has written to. Nobody else is asked.
/// </summary>
internal sealed class VpsNatProbe(ReadOnlyMemory<byte> token, int firstPort, TimeProvider time)
{
    /// <summary>Questions of a kind, and the time between them: longer than the tunnel and a WAN take, so that the translation is made by the first before anything comes back.</summary>
    private const int Tries = 4;

    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(350);

    /// <param name="witnesses">All of one family of addresses; the first two count.</param>
    /// <param name="open">A new socket in the tunnel, and what comes in for it.</param>
    /// <returns>Null: not even one witness has a public address that answers.</returns>
    /// <exception cref="SocketException">The tunnel or a line takes nothing.</exception>
    internal async Task<VpsNatView?> RunAsync(IReadOnlyList<NatWitness> witnesses, Func<AddressFamily, (Socket Socket, PacketWatch Watch)> open, CancellationToken cancellationToken)
    {
        using var sockets = new Sockets();

        // First those without a NAT of their own, which may keep out what nobody on the line asked for.
        List<Witness> there = [.. (await Task.WhenAll(witnesses.Select(w => MeetAsync(w, sockets, cancellationToken)))).OfType<Witness>()
            .OrderBy(w => w.Public.Equals(w.Socket.LocalEndPoint) ? 0 : 1)];
        if (there.Count == 0)
        {
            return null;
        }

        // Another port of the first one: the second target where there is no second address, and the one that nobody writes to.
        var first = there[0];
        var sibling = await MeetAsync(first.Of, sockets, cancellationToken);
        var second = there.Skip(1).FirstOrDefault(w => !w.Public.Address.Equals(first.Public.Address));
        var mapping = sockets.Keep(TunnelDatagrams.Open(first.Public.AddressFamily));
        var seen = ImmutableArray.CreateBuilder<(string, IPEndPoint, IPEndPoint?)>();
        foreach (var witness in (Witness?[])[first, second ?? sibling])
        {
            if (witness is not null)
            {
                seen.Add((witness.Of.Link, witness.Public, await SeenAsync(mapping, witness, cancellationToken)));
            }
        }

        // A socket of its own: an unbidden datagram that meets a Linux NAT takes the place that the same socket's own question would have in its table.
        bool? otherAddress = null;
        bool? otherPort = null;
        var (filtering, incoming) = open(first.Public.AddressFamily);
        sockets.Keep(filtering);
        using var ending = incoming;
        if (seen[0].Item3 is not null && await SeenAsync(filtering, first, cancellationToken) is { } outside)
        {
            (bool bidden, otherAddress, otherPort) = await ComesInAsync(incoming, outside, first, second, sibling, cancellationToken);
            (otherAddress, otherPort) = bidden ? (otherAddress, otherPort) : (null, null);
        }

        return new VpsNatView((IPEndPoint)mapping.LocalEndPoint!, seen.ToImmutable(), otherAddress, otherPort);
    }

    /// <summary>Null: the VPS's echo does not answer over this WAN, so where it is on the internet is not known.</summary>
    private async Task<Witness?> MeetAsync(NatWitness of, Sockets sockets, CancellationToken cancellationToken)
    {
        var socket = sockets.Keep(EchoTalk.Bound(of.Path));
        var talk = new EchoTalk(socket, token, time);
        await talk.AskAsync(new IPEndPoint(of.Path.Target.Address, firstPort), [0], () => talk.Has(0), cancellationToken);
        return talk.Seen(0) is { } seen ? new Witness(of, socket, seen) : null;
    }

    /// <summary>
    /// Writes through the tunnel to a witness. It writes back to where a translation that keeps ports would have us, only after the first of ours has made it: so a NAT
    /// on its line lets the next ones in, and a translation that changes ports is not disturbed by it.
    /// </summary>
    private async Task<IPEndPoint?> SeenAsync(Socket tunnel, Witness witness, CancellationToken cancellationToken)
    {
        var guess = new IPEndPoint(witness.Of.Path.Target.Address, ((IPEndPoint)tunnel.LocalEndPoint!).Port);
        (byte[] question, ulong nonce) = Request();
        for (int i = 0; i < Tries; i++)
        {
            await SendAsync(tunnel, question, witness.Public, cancellationToken);
            var came = await ReceiveAsync(witness.Socket, [nonce], 1, Spacing, cancellationToken);
            if (came.Count > 0)
            {
                // Never through the VPS: this host gave it to itself.
                return came[nonce].Address.Equals(((IPEndPoint)tunnel.LocalEndPoint!).Address) ? null : came[nonce];
            }

            await SendAsync(witness.Socket, question, guess, cancellationToken);
        }

        return null;
    }

    /// <summary>What comes in of what the witnesses write to <paramref name="outside"/>; the first is bidden, so that the others' silence means something.</summary>
    private async Task<(bool Bidden, bool? OtherAddress, bool? OtherPort)> ComesInAsync(
        PacketWatch incoming, IPEndPoint outside, Witness first, Witness? second, Witness? sibling, CancellationToken cancellationToken)
    {
        (Witness Of, byte[] Bytes, ulong Nonce)[] writers =
            [.. ((Witness?[])[first, second, sibling]).OfType<Witness>().Select(w => (w, Request())).Select(w => (w.w, w.Item2.Bytes, w.Item2.Nonce))];
        var came = new HashSet<ulong>();
        for (int i = 0; i < Tries && came.Count < writers.Length; i++)
        {
            foreach (var (of, bytes, _) in writers)
            {
                await SendAsync(of.Socket, bytes, outside, cancellationToken);
            }

            await ListenAsync(incoming, [.. writers.Select(w => w.Nonce)], came, cancellationToken);
        }

        bool? From(Witness? witness) => witness is null ? null : came.Contains(writers.First(w => w.Of == witness).Nonce);
        return (From(first) is true, From(second), From(sibling));
    }

    private (byte[] Bytes, ulong Nonce) Request()
    {
        byte[] bytes = new byte[EchoDatagram.Bytes];
        ulong nonce = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        EchoDatagram.WriteRequest(bytes, token.Span, 0, nonce);
        return (bytes, nonce);
    }

    private static async Task SendAsync(Socket socket, byte[] bytes, IPEndPoint to, CancellationToken cancellationToken)
    {
        try
        {
            await socket.SendToAsync(bytes, SocketFlags.None, to, cancellationToken);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.AccessDenied)
        {
            // An ICMP error of an earlier one: as good as no answer.
        }
    }

    /// <summary>Who sent which of these questions, until so many are there or the time is over.</summary>
    private async Task<Dictionary<ulong, IPEndPoint>> ReceiveAsync(Socket socket, ulong[] nonces, int wanted, TimeSpan patience, CancellationToken cancellationToken)
    {
        var came = new Dictionary<ulong, IPEndPoint>();
        byte[] buffer = new byte[EchoDatagram.Bytes + 1];
        using var limit = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var anybody = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (came.Count < wanted)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, anybody, either.Token);
                if (EchoDatagram.TryReadRequest(buffer.AsSpan(0, received.ReceivedBytes), token.Span, out _, out ulong nonce) && nonces.Contains(nonce))
                {
                    came.TryAdd(nonce, (IPEndPoint)received.RemoteEndPoint);
                }
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                break;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.AccessDenied)
            {
                // As above.
            }
        }

        return came;
    }

    private async Task ListenAsync(PacketWatch incoming, ulong[] nonces, HashSet<ulong> came, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Spacing, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            while (came.Count < nonces.Length)
            {
                byte[] payload = await incoming.ReadAsync(either.Token);
                if (EchoDatagram.TryReadRequest(payload, token.Span, out _, out ulong nonce) && nonces.Contains(nonce))
                {
                    came.Add(nonce);
                }
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // The next try.
        }
    }

    private sealed record Witness(NatWitness Of, Socket Socket, IPEndPoint Public);

    private sealed class Sockets : IDisposable
    {
        private readonly List<Socket> _all = [];

        internal Socket Keep(Socket socket)
        {
            lock (_all)
            {
                _all.Add(socket);
            }

            return socket;
        }

        public void Dispose() => _all.ForEach(s => s.Dispose());
    }
}
