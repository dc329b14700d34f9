using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Aggregator.DnsWire;
using Microsoft.Extensions.Logging;

namespace Aggregator.Vps.Resolver;

/// <summary>Gateways' questions, answered as this host's own programs would be: proto/names.md.</summary>
/// <param name="servers">This host's own, asked in their order.</param>
internal sealed class NameService(Func<IReadOnlyList<IPEndPoint>> servers, HostsFile hosts, TimeProvider time, ILogger<NameService> logger)
{
    /// <summary>Questions under way at once, of all gateways: each has a socket or two.</summary>
    internal const int MaxQuestions = 512;

    /// <summary>The hosts file may change at any moment.</summary>
    private const uint HostsTtlSeconds = 5;

    /// <summary>A gateway's flow has its question with it.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    private int _underWay;

    /// <summary>Until the gateway ends the flow. Never fails for what a gateway sends.</summary>
    /// <param name="socket">Owned.</param>
    internal async Task ServeAsync(Socket socket, CancellationToken stopping)
    {
        using var _ = socket;
        byte[] length = new byte[2];
        try
        {
            while (true)
            {
                using var limit = new CancellationTokenSource(Silence, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
                if (!await ReadAsync(socket, length, either.Token))
                {
                    return;
                }

                byte[] query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                if (!await ReadAsync(socket, query, either.Token) || await AnswerAsync(query, stopping) is not { } answer)
                {
                    return;
                }

                await socket.SendAsync(DnsClient.Framed(answer), stopping);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The gateway went away or said nothing; or the daemon ends.
        }
        catch (Exception e)
        {
            logger.NameFault(e);
        }
    }

    /// <returns>Null: not even a header, or no query.</returns>
    internal async Task<byte[]?> AnswerAsync(byte[] query, CancellationToken cancellationToken)
    {
        if (!DnsMessage.IsQuery(query))
        {
            return null;
        }

        if (!DnsMessage.TryReadQuestion(query, out var question))
        {
            return DnsMessage.Error(query, DnsCode.FormatError);
        }

        if (!DnsMessage.IsStandard(query) || question.Class != DnsMessage.ClassInternet)
        {
            return DnsMessage.Error(query, DnsCode.Refused);
        }

        if (question.Type is DnsMessage.TypeA or DnsMessage.TypeAaaa)
        {
            var family = question.Type == DnsMessage.TypeA ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
            var known = hosts.Find(question.NameText(query), family);
            if (known.Count > 0)
            {
                return DnsMessage.Addresses(query, question, known, HostsTtlSeconds);
            }
        }

        if (Interlocked.Increment(ref _underWay) > MaxQuestions)
        {
            Interlocked.Decrement(ref _underWay);
            return DnsMessage.Error(query, DnsCode.ServerFailure);
        }

        try
        {
            using var limit = new CancellationTokenSource(NameProtocol.AnswerTime, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            return await AskAsync(query, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return DnsMessage.Error(query, DnsCode.ServerFailure);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    /// <summary>One server after the other, until one knows.</summary>
    private async Task<byte[]> AskAsync(byte[] query, CancellationToken cancellationToken)
    {
        byte[]? last = null;
        foreach (var server in servers())
        {
            if (await DnsClient.AskAsync(server, query, null, time, cancellationToken) is { } answer)
            {
                if (DnsMessage.Code(answer) is DnsCode.None or DnsCode.NameError)
                {
                    return answer;
                }

                last = answer;
            }
        }

        return last ?? DnsMessage.Error(query, DnsCode.ServerFailure);
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
