using System.Buffers;
using Aggregator.Relay;

namespace Aggregator.Speed;

/// <summary>Source and sink of a test's bytes. Ends with the stream's error, its end, or the token.</summary>
internal static class SpeedBytes
{
    /// <summary>Four TLS records a write. What they hold is of no matter: the cipher hides it from whoever would compress it.</summary>
    private static readonly byte[] Zeros = new byte[64 * 1024];

    /// <summary>TLS reads ahead into buffers of this size, seven records at a time.</summary>
    private const int ReadBytes = 128 * 1024;

    /// <exception cref="IOException">The other side ended it.</exception>
    internal static async Task SendAsync(IByteStream stream, ByteCounter sent, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await stream.WriteAsync(Zeros, cancellationToken);
            sent.Add(Zeros.Length);
        }
    }

    /// <returns>At the stream's end.</returns>
    /// <exception cref="IOException">It broke.</exception>
    internal static async Task ReceiveAsync(IByteStream stream, ByteCounter received, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var count)
            {
                received.Add(count);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
