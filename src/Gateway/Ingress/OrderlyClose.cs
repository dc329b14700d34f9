using System.Buffers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// Ends a connection so that the client gets to read our last words. A close with unread bytes makes the kernel send a reset, which throws away
/// an answer that is still under way (RFC 9112 section 9.6): so first our end, then what the client still sends, then the close.
/// </summary>
internal static class OrderlyClose
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(2);

    /// <summary>As much as a client has sent before it saw the answer, in any sound case.</summary>
    private const int MaxBytes = 256 * 1024;

    private const int BufferBytes = 4096;

    /// <summary>Never fails: a client that is gone is closed as well.</summary>
    internal static async ValueTask EndAsync(IByteStream client, TimeProvider time, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(MaxTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            await client.CompleteWritesAsync(either.Token);
            int total = 0;
            while (total < MaxBytes)
            {
                int count = await client.ReadAsync(buffer, either.Token);
                if (count == 0)
                {
                    return;
                }
                total += count;
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Gone, or too slow: the close that follows is all that is left.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
