using System.Buffers.Binary;
using Aggregator.DnsWire;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Resolver;

/// <summary>Asks over the carrier: the VPS's own resolver, or a name server through the VPS over TCP. A flow for each question.</summary>
internal sealed class CarriedQuestion(ICarrier carrier, TimeProvider time)
{
    /// <summary>The VPS's own time for an answer, and the way there and back over a slow line.</summary>
    private static readonly TimeSpan MaxTime = NameProtocol.AnswerTime + TimeSpan.FromSeconds(1.5);

    /// <param name="target"><see cref="NameProtocol.Target"/>, or a name server as the VPS reaches it.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> fired.</exception>
    internal async Task<CarriedAnswer> AskAsync(FlowTarget target, ReadOnlyMemory<byte> query, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MaxTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        IByteStream? stream = null;
        try
        {
            var flow = await carrier.OpenAsync(target, DnsClient.Framed(query.Span), either.Token);
            stream = flow.Stream;
            var reply = await flow.Opened.WaitAsync(either.Token);
            if (stream is null || reply.Result != OpenResult.Opened)
            {
                return new CarriedAnswer(null, Explain(target, reply.Result), IsAway: reply.Result == OpenResult.NoCarrier);
            }

            byte[] length = new byte[2];
            if (!await ReadAsync(stream, length, either.Token))
            {
                return new CarriedAnswer(null, $"{target} ended without an answer");
            }

            byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
            return await ReadAsync(stream, answer, either.Token) && DnsMessage.Answers(query.Span, answer)
                ? new CarriedAnswer(answer, null)
                : new CarriedAnswer(null, $"{target} gave an answer to another question");
        }
        catch (IOException e)
        {
            return new CarriedAnswer(null, e.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            stream?.Abort();
            return new CarriedAnswer(null, "no answer in time");
        }
        finally
        {
            if (stream is not null)
            {
                await stream.DisposeAsync();
            }
        }
    }

    private static string Explain(FlowTarget target, OpenResult result) => result switch
    {
        OpenResult.NoCarrier => "no VPS is reached",
        OpenResult.NameNotFound when target == NameProtocol.Target => "the VPS is too old to answer names: update aggregator-vps there",
        OpenResult.NotAllowed => $"the VPS's rules do not allow {target}: see `egress` there",
        _ => $"{target} is not reached from the VPS ({result})",
    };

    private static async ValueTask<bool> ReadAsync(IByteStream stream, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int count = await stream.ReadAsync(buffer, cancellationToken);
            if (count == 0)
            {
                return false;
            }

            buffer = buffer[count..];
        }

        return true;
    }
}

/// <param name="Answer">Null: there is none, and <paramref name="Problem"/> says why.</param>
/// <param name="IsAway">There was no way to the VPS.</param>
internal readonly record struct CarriedAnswer(byte[]? Answer, string? Problem, bool IsAway = false);
