using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aggregator.Doctor;

namespace Aggregator.Vps.Diagnosis;

/// <summary>
/// Two UDP sockets on one address that answer a gateway's echo requests for a while, so that it can find out what NAT its lines are
/// behind. Answers to those who know the token only, never with more bytes than were asked with, and at most <see cref="MaxAnswers"/> times.
/// </summary>
internal sealed class EchoPair : IDisposable
{
    /// <summary>A doctor sends a few dozen over each of a handful of lines.</summary>
    internal const int MaxAnswers = 2000;

    private readonly Socket[] _sockets;
    private int _answers;

    private EchoPair(Socket first, Socket second)
    {
        _sockets = [first, second];
        Token = RandomNumberGenerator.GetBytes(EchoDatagram.TokenBytes);
    }

    internal byte[] Token { get; }

    internal int FirstPort => ((IPEndPoint)_sockets[0].LocalEndPoint!).Port;

    internal int SecondPort => ((IPEndPoint)_sockets[1].LocalEndPoint!).Port;

    internal int Answers => Math.Min(Volatile.Read(ref _answers), MaxAnswers);

    /// <param name="address">Of this host, the one that the gateway reached; nothing is opened on another.</param>
    /// <exception cref="SocketException">The ports cannot be had.</exception>
    internal static EchoPair Open(IPAddress address)
    {
        var first = Bound(address);
        try
        {
            return new EchoPair(first, Bound(address));
        }
        catch
        {
            first.Dispose();
            throw;
        }
    }

    /// <summary>Answers until it is cancelled.</summary>
    internal Task RunAsync(CancellationToken cancellationToken) => Task.WhenAll(AnswerAsync(0, cancellationToken), AnswerAsync(1, cancellationToken));

    public void Dispose()
    {
        _sockets[0].Dispose();
        _sockets[1].Dispose();
    }

    private async Task AnswerAsync(byte index, CancellationToken cancellationToken)
    {
        var anybody = new IPEndPoint(_sockets[index].AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        // One byte more than any request: a longer datagram is seen to be none.
        var request = new byte[EchoDatagram.Bytes + 1];
        var answer = new byte[EchoDatagram.Bytes];
        while (true)
        {
            try
            {
                var received = await _sockets[index].ReceiveFromAsync(request, SocketFlags.None, anybody, cancellationToken);
                if (!EchoDatagram.TryReadRequest(request.AsSpan(0, received.ReceivedBytes), Token, out byte flags, out ulong nonce)
                    || Interlocked.Increment(ref _answers) > MaxAnswers)
                {
                    continue;
                }

                byte from = (flags & EchoDatagram.FromOtherPort) != 0 ? (byte)(1 - index) : index;
                EchoDatagram.WriteAnswer(answer, Token, from, nonce, (IPEndPoint)received.RemoteEndPoint);
                await _sockets[from].SendToAsync(answer, SocketFlags.None, received.RemoteEndPoint, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException)
            {
                // An ICMP error to an earlier answer, or one datagram too long for the buffer: the next one may be well.
            }
        }
    }

    private static Socket Bound(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            socket.Bind(new IPEndPoint(address, 0));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
