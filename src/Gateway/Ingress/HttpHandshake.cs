using Aggregator.Flows;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>A client's way from its first byte to a complete CONNECT. What is wrong is for the caller to answer.</summary>
internal sealed class HttpHandshake(IByteStream client, HandshakeBuffer buffer)
{
    internal FlowTarget Target { get; private set; }

    /// <summary>What to say when there is no target; null when the client is gone and nothing can be said.</summary>
    internal HttpAnswer? Answer { get; private set; }

    /// <summary>Whether the refused request was a HEAD.</summary>
    internal bool IsHead { get; private set; }

    /// <summary>Whether a CONNECT came, its <see cref="Target"/> set and the bytes after it still in the buffer.</summary>
    /// <exception cref="IOException">The transport failed.</exception>
    internal async ValueTask<bool> RunAsync(CancellationToken cancellationToken)
    {
        int scanned = 0;
        while (true)
        {
            switch (HttpConnect.Parse(buffer.Unread.Span, ref scanned, out FlowTarget target, out int consumed))
            {
                case HttpParse.Done:
                    buffer.Consume(consumed);
                    Target = target;
                    return true;
                case HttpParse.Bad:
                    Answer = HttpAnswer.BadRequest;
                    return false;
                case HttpParse.OtherMethod:
                    Answer = HttpAnswer.MethodNotAllowed;
                    IsHead = buffer.Unread.Span.StartsWith("HEAD "u8);
                    return false;
            }
            switch (await buffer.FillAsync(client, cancellationToken))
            {
                case FillResult.Ended:
                    Answer = buffer.Unread.IsEmpty ? null : HttpAnswer.BadRequest;
                    return false;
                case FillResult.Full:
                    Answer = HttpAnswer.HeadTooLarge;
                    return false;
            }
        }
    }
}
