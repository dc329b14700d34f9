namespace Aggregator.Relay;

internal static class ByteStreamExtensions
{
    /// <summary>Fills <paramref name="buffer"/>.</summary>
    /// <exception cref="EndOfStreamException">The peer ended before.</exception>
    internal static async ValueTask ReadExactlyAsync(this IByteStream stream, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            int count = await stream.ReadAsync(buffer, cancellationToken);
            if (count == 0)
            {
                throw new EndOfStreamException("The peer ended the connection.");
            }

            buffer = buffer[count..];
        }
    }
}
