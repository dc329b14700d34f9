using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Aggregator.DnsWire;

/// <summary>
/// Asks a name server: over UDP from a port of its own for each question (the kernel draws it), with a number that cannot be guessed, from this server
/// only, and what does not repeat the question is not heard (RFC 5452); over TCP when the answer does not fit.
/// </summary>
internal static class DnsClient
{
    /// <summary>Servers that look at no EDNS size are read all the same.</summary>
    private const int BufferBytes = 4096;

    /// <summary>A lost datagram is asked again after these, well before clients themselves ask again (5 s).</summary>
    private static readonly TimeSpan[] Patience = [TimeSpan.FromMilliseconds(800), TimeSpan.FromMilliseconds(1600)];

    /// <param name="query">Its number is replaced on the way and put back in the answer.</param>
    /// <param name="prepare">Before anything is sent: ties the socket to a way out. May throw <see cref="SocketException"/>.</param>
    /// <returns>The answer with the query's number; null: none came.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal static async Task<byte[]?> AskAsync(
        IPEndPoint server, ReadOnlyMemory<byte> query, Action<Socket>? prepare, TimeProvider time, CancellationToken cancellationToken)
    {
        byte[] ours = query.ToArray();
        DnsMessage.SetId(ours, DnsMessage.NewId());
        byte[]? answer;
        try
        {
            answer = await AskUdpAsync(server, ours, prepare, time, cancellationToken);
            if (answer is not null && DnsMessage.IsTruncated(answer))
            {
                answer = await AskTcpAsync(server, ours, prepare, time, cancellationToken) ?? answer;
            }
        }
        catch (SocketException)
        {
            // Refused, unreachable, the way out gone: no answer from here.
            return null;
        }

        if (answer is not null)
        {
            DnsMessage.SetId(answer, DnsMessage.Id(query.Span));
        }

        return answer;
    }

    /// <summary>Two bytes of length in front (RFC 1035 section 4.2.2).</summary>
    internal static byte[] Framed(ReadOnlySpan<byte> message)
    {
        byte[] frame = new byte[2 + message.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame, checked((ushort)message.Length));
        message.CopyTo(frame.AsSpan(2));
        return frame;
    }

    private static async Task<byte[]?> AskUdpAsync(
        IPEndPoint server, byte[] query, Action<Socket>? prepare, TimeProvider time, CancellationToken cancellationToken)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        prepare?.Invoke(socket);
        await socket.ConnectAsync(server, cancellationToken);
        byte[] sent = [.. query];
        DnsMessage.LimitUdpBytes(sent, DnsMessage.OwnUdpBytes);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            foreach (var patience in Patience)
            {
                await socket.SendAsync(sent, cancellationToken);
                using var limit = new CancellationTokenSource(patience, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
                try
                {
                    while (true)
                    {
                        int count = await socket.ReceiveAsync(buffer, either.Token);
                        if (DnsMessage.Answers(sent, buffer.AsSpan(0, count)))
                        {
                            return buffer[..count];
                        }
                    }
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    // Once more, or the end.
                }
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<byte[]?> AskTcpAsync(
        IPEndPoint server, byte[] query, Action<Socket>? prepare, TimeProvider time, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Patience[^1], time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            prepare?.Invoke(socket);
            await socket.ConnectAsync(server, either.Token);
            await socket.SendAsync(Framed(query), either.Token);
            byte[] length = new byte[2];
            if (!await ReadAsync(socket, length, either.Token))
            {
                return null;
            }

            byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            return await ReadAsync(socket, answer, either.Token) && DnsMessage.Answers(query, answer) ? answer : null;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static async Task<bool> ReadAsync(Socket socket, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int count = await socket.ReceiveAsync(buffer, cancellationToken);
            if (count == 0)
            {
                return false;
            }

            buffer = buffer[count..];
        }

        return true;
    }
}
