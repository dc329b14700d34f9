using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>What the VPS's two UDP ports saw of one socket of ours, and what came back.</summary>
/// <param name="Local">Our end.</param>
/// <param name="First">Our end as the first port saw it; null: no answer.</param>
/// <param name="Second">As the second port saw it; null: no answer.</param>
/// <param name="AnswerFromOtherPort">Whether an answer came from the second port to a socket that had sent it nothing; null: not known.</param>
internal sealed record NatView(IPEndPoint Local, IPEndPoint? First, IPEndPoint? Second, bool? AnswerFromOtherPort);

/// <summary>
/// Mapping and filtering of the NAT on one WAN, after RFC 5780 sections 4.3 and 4.4, with one address and two ports at the VPS: whether both
/// ports see the same mapping, and whether the second port's answer comes in unbidden.
/// </summary>
internal static class NatProbe
{
    /// <summary>Requests of a kind, this far apart: on a line that loses 5 %, all are lost once in three million.</summary>
    private const int Tries = 5;

    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(200);

    /// <summary>After the last try, for a satellite's round trip.</summary>
    private static readonly TimeSpan LastAnswers = TimeSpan.FromMilliseconds(800);

    internal static async Task<NatView> RunAsync(
        ProbePath path, ReadOnlyMemory<byte> token, int firstPort, int secondPort, TimeProvider time, CancellationToken cancellationToken)
    {
        var first = new IPEndPoint(path.Target.Address, firstPort);
        var second = new IPEndPoint(path.Target.Address, secondPort);
        using var mapping = Bound(path);
        var mapped = new Talk(mapping, token, time);
        await mapped.AskAsync(first, [0], () => mapped.Has(0), cancellationToken);
        await mapped.AskAsync(second, [0], () => mapped.Has(1), cancellationToken);

        // A socket of its own: an unbidden datagram that meets a Linux NAT takes the place that the same socket's own question to that port
        // would have in its table, and the answer would look like another mapping.
        using var filtering = Bound(path);
        var filtered = new Talk(filtering, token, time);
        if (mapped.Has(0))
        {
            // The plain question goes with it: that the first port answers makes the other's silence mean something.
            await filtered.AskAsync(first, [0, EchoDatagram.FromOtherPort], () => filtered.Has(0) && filtered.Has(1), cancellationToken);
        }

        return new NatView((IPEndPoint)mapping.LocalEndPoint!, mapped.Seen(0), mapped.Seen(1), filtered.Has(0) ? filtered.Has(1) : null);
    }

    private static Socket Bound(ProbePath path)
    {
        var socket = new Socket(path.Source.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            WanSocket.Bind(socket, path.Interface, path.Source);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class Talk(Socket socket, ReadOnlyMemory<byte> token, TimeProvider time)
    {
        private readonly IPEndPoint?[] _seen = new IPEndPoint?[2];
        private readonly byte[] _in = new byte[EchoDatagram.Bytes + 1];

        /// <summary>Changes with each question, so that a late answer to an earlier one is not taken for this one's.</summary>
        private ulong _nonce;

        internal bool Has(byte port) => _seen[port] is not null;

        internal IPEndPoint? Seen(byte port) => _seen[port];

        internal async Task AskAsync(IPEndPoint port, byte[] kinds, Func<bool> complete, CancellationToken cancellationToken)
        {
            _nonce = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
            var request = new byte[EchoDatagram.Bytes];
            for (int attempt = 0; attempt < Tries && !complete(); attempt++)
            {
                foreach (byte kind in kinds)
                {
                    EchoDatagram.WriteRequest(request, token.Span, kind, _nonce);
                    await socket.SendToAsync(request, SocketFlags.None, port, cancellationToken);
                }

                await ListenAsync(attempt == Tries - 1 ? LastAnswers : Spacing, complete, cancellationToken);
            }
        }

        private async Task ListenAsync(TimeSpan patience, Func<bool> complete, CancellationToken cancellationToken)
        {
            using var limit = new CancellationTokenSource(patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            var anybody = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
            while (!complete())
            {
                try
                {
                    var received = await socket.ReceiveFromAsync(_in, SocketFlags.None, anybody, either.Token);
                    if (EchoDatagram.TryReadAnswer(_in.AsSpan(0, received.ReceivedBytes), token.Span, out var answer)
                        && answer.Nonce == _nonce && answer.PortIndex < _seen.Length)
                    {
                        _seen[answer.PortIndex] = answer.Seen;
                    }
                }
                catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    return;
                }
                catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.MessageSize)
                {
                    // An ICMP error: as good as no answer.
                }
            }
        }
    }
}
