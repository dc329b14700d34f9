using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Doctor;
using Aggregator.Gateway.Links;

namespace Aggregator.Gateway.Doctor.Probes;

/// <summary>Questions of one socket to the VPS's two echo ports.</summary>
internal sealed class EchoTalk(Socket socket, ReadOnlyMemory<byte> token, TimeProvider time)
{
    /// <summary>Requests of a kind, this far apart: on a line that loses 5 %, all are lost once in three million.</summary>
    private const int Tries = 5;

    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(200);

    /// <summary>After the last try, for a satellite's round trip.</summary>
    private static readonly TimeSpan LastAnswers = TimeSpan.FromMilliseconds(800);

    /// <summary>A socket on a WAN.</summary>
    internal static Socket Bound(ProbePath path)
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
