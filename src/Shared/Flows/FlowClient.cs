using System.Buffers;
using Aggregator.Relay;

namespace Aggregator.Flows;

/// <summary>
/// The gateway's half of the flow protocol on one connection, in this order: <see cref="ReadGreetingAsync"/>, <see cref="OpenAsync"/>
/// (may come first: it need not wait for the greeting), <see cref="ReadReplyAsync"/>; then the stream carries the flow's bytes.
/// All errors are <see cref="IOException"/>; abort the stream then.
/// </summary>
internal static class FlowClient
{
    /// <summary>First bytes up to this size travel with the Open in one write (one TLS record).</summary>
    private const int JoinedBytes = 16 * 1024;

    internal static async ValueTask<GreetingStatus> ReadGreetingAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FlowProtocol.GreetingBytes);
        try
        {
            var greeting = buffer.AsMemory(0, FlowProtocol.GreetingBytes);
            await stream.ReadExactlyAsync(greeting, cancellationToken);
            return FlowProtocol.ReadGreeting(greeting.Span);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Sends the Open and the flow's first bytes.</summary>
    internal static async ValueTask OpenAsync(
        IByteStream stream, FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        int joined = Math.Min(firstBytes.Length, JoinedBytes - FlowProtocol.MaxOpenBytes);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FlowProtocol.MaxOpenBytes + joined);
        try
        {
            int length = FlowProtocol.WriteOpen(buffer, target);
            firstBytes[..joined].CopyTo(buffer.AsMemory(length));
            await stream.WriteAsync(buffer.AsMemory(0, length + joined), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (firstBytes.Length > joined)
        {
            await stream.WriteAsync(firstBytes[joined..], cancellationToken);
        }
    }

    internal static async ValueTask<FlowReply> ReadReplyAsync(IByteStream stream, CancellationToken cancellationToken)
    {
        // The reply may take seconds: nothing is held until it comes.
        await stream.WaitToReadAsync(cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FlowProtocol.ReplyBytes);
        try
        {
            var reply = buffer.AsMemory(0, FlowProtocol.ReplyBytes);
            await stream.ReadExactlyAsync(reply, cancellationToken);
            return FlowProtocol.ReadReply(reply.Span);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
