using System.Text;

namespace Aggregator.Lab.Control;

/// <summary>A line of text each way.</summary>
internal static class ControlLine
{
    /// <summary>Null: the line is too long or the stream ended within it.</summary>
    internal static async Task<string?> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ControlServer.LongestLine];
        int length = 0;
        while (length < buffer.Length)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(length), cancellationToken);
            if (read == 0)
            {
                return null;
            }

            int end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            length += read;
            if (end >= 0)
            {
                return Encoding.UTF8.GetString(buffer, 0, length - read + end);
            }
        }

        return null;
    }

    internal static async Task WriteAsync(Stream stream, string line, CancellationToken cancellationToken) =>
        await stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancellationToken);
}
