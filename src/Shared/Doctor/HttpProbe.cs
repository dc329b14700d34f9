using System.Net.Sockets;
using System.Text;

namespace Aggregator.Doctor;

/// <summary>
/// One plain HTTP/1.1 request over a socket, and the first lines of what comes back. Not HttpClient: no redirect is followed, nothing is
/// decoded, and whoever answers (a portal, perhaps hostile) can make us read <see cref="MaxAnswerBytes"/> at most.
/// </summary>
internal static class HttpProbe
{
    internal const int Port = 80;

    /// <summary>A path that says who asks and why; nobody serves it.</summary>
    internal const string Path = "/aggregator-portal-check";

    private const int MaxAnswerBytes = 8 * 1024;

    /// <returns>Null: what answered does not speak HTTP.</returns>
    /// <exception cref="SocketException">The connection broke.</exception>
    internal static async Task<HttpAnswer?> AskAsync(Socket socket, string host, string path, CancellationToken cancellationToken)
    {
        byte[] request = Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: aggregator-doctor\r\nConnection: close\r\n\r\n");
        for (int sent = 0; sent < request.Length;)
        {
            sent += await socket.SendAsync(request.AsMemory(sent), SocketFlags.None, cancellationToken);
        }

        var buffer = new byte[MaxAnswerBytes];
        int length = 0;
        while (length < buffer.Length && !HasWholeHead(buffer.AsSpan(0, length)))
        {
            int received = await socket.ReceiveAsync(buffer.AsMemory(length), SocketFlags.None, cancellationToken);
            if (received == 0)
            {
                break;
            }

            length += received;
        }

        return HttpAnswer.TryParse(buffer.AsSpan(0, length));
    }

    /// <summary>As the Host header has it (RFC 3986 section 3.2.2).</summary>
    internal static string HostOf(string host) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;

    private static bool HasWholeHead(ReadOnlySpan<byte> bytes) => bytes.IndexOf("\r\n\r\n"u8) >= 0 || bytes.IndexOf("\n\n"u8) >= 0;
}

/// <summary>Status line and Location of an HTTP answer (RFC 9112 section 4).</summary>
/// <param name="Location">Printable, at most <see cref="MaxLocation"/> characters; empty where there is none.</param>
internal sealed record HttpAnswer(int Status, string Location)
{
    internal const int MaxLocation = 200;

    /// <summary>Null: no HTTP/1 answer. Takes any bytes.</summary>
    internal static HttpAnswer? TryParse(ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.Latin1.GetString(bytes);
        string[] lines = text.Split('\n');
        string[] first = lines[0].TrimEnd('\r').Split(' ', 3);
        if (first.Length < 2 || !first[0].StartsWith("HTTP/1.", StringComparison.Ordinal)
            || first[1].Length != 3 || !int.TryParse(first[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int status))
        {
            return null;
        }

        string location = "";
        foreach (string line in lines.Skip(1).Select(l => l.TrimEnd('\r')).TakeWhile(l => l.Length > 0))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line[..colon].Equals("Location", StringComparison.OrdinalIgnoreCase))
            {
                location = new string([.. line[(colon + 1)..].Trim().Where(c => c is > ' ' and <= '~').Take(MaxLocation)]);
            }
        }

        return new HttpAnswer(status, location);
    }
}
