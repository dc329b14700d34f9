using Aggregator.Relay;

namespace Aggregator.Trunk;

/// <summary>
/// The hello of a lane: one offer, one answer, then frames. All errors are <see cref="IOException"/>; abort the connection then.
/// The caller bounds the time.
/// </summary>
internal static class LaneHandshake
{
    /// <summary>The gateway's half.</summary>
    /// <exception cref="TrunkProtocolException">The answer is malformed, or is not to this offer.</exception>
    internal static async Task<LaneAnswer> OfferAsync(IByteStream stream, LaneOffer offer, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[LaneHello.MaxOfferBytes];
        int length = LaneHello.WriteOffer(buffer, offer);
        await stream.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
        await stream.ReadExactlyAsync(buffer.AsMemory(0, LaneHello.AnswerBytes), cancellationToken);
        var answer = LaneHello.ReadAnswer(buffer);
        return answer.Nonce == offer.Nonce ? answer : throw new TrunkProtocolException("an answer to another offer");
    }

    /// <summary>The VPS's half, first part. What the offer asks for is <see cref="TrunkRegistry"/>'s to decide.</summary>
    /// <exception cref="TrunkProtocolException">Malformed, or of another version.</exception>
    internal static async Task<LaneOffer> ReadOfferAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[LaneHello.MaxOfferBytes];
        await stream.ReadExactlyAsync(buffer.AsMemory(0, LaneHello.OfferHeaderBytes), cancellationToken);
        int name = LaneHello.ReadLinkBytes(buffer);
        await stream.ReadExactlyAsync(buffer.AsMemory(LaneHello.OfferHeaderBytes, name), cancellationToken);
        return LaneHello.ReadOffer(buffer);
    }

    /// <summary>The VPS's half, second part. After an acceptance the connection is handed to <see cref="TrunkSession.AddLane"/>.</summary>
    internal static ValueTask AnswerAsync(IByteStream stream, LaneAnswer answer, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[LaneHello.AnswerBytes];
        LaneHello.WriteAnswer(buffer, answer);
        return stream.WriteAsync(buffer, cancellationToken);
    }
}
