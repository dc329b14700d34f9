using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Calls made of bytes, for what no client sends.</summary>
internal static class RawCall
{
    public static byte[] Frame(byte[] payload, byte flag = 0, uint? length = null)
    {
        byte[] frame = new byte[5 + payload.Length];
        frame[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), length ?? (uint)payload.Length);
        payload.CopyTo(frame, 5);
        return frame;
    }

    public static byte[] GZip(byte[] plain)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(plain);
        }

        return compressed.ToArray();
    }

    /// <summary>The answer, its body read to the end.</summary>
    public static async Task<RawAnswer> PostAsync(
        string address, string path, byte[] body, string contentType = "application/grpc", Version? version = null, params (string Key, string Value)[] headers)
    {
        using var handler = new SocketsHttpHandler();
        using var http = new HttpMessageInvoker(handler);
        using var request = new HttpRequestMessage(HttpMethod.Post, address + path)
        {
            Version = version ?? HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        foreach ((string key, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(key, value);
        }

        HttpResponseMessage response = await http.SendAsync(request, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        byte[] answer = await response.Content.ReadAsByteArrayAsync().WaitAsync(TimeSpan.FromSeconds(30));
        return new RawAnswer(response, answer);
    }
}

internal sealed record RawAnswer(HttpResponseMessage Response, byte[] Body)
{
    /// <summary>A status that came in the headers, with no body and no trailers.</summary>
    public bool IsTrailersOnly => Response.Headers.Contains("grpc-status") && Body.Length == 0 && !Response.TrailingHeaders.Any();

    public string? Status => Value(Response.Headers, "grpc-status") ?? Value(Response.TrailingHeaders, "grpc-status");

    public string? Message => Value(Response.Headers, "grpc-message") ?? Value(Response.TrailingHeaders, "grpc-message");

    public string? Header(string key) => Value(Response.Headers, key);

    private static string? Value(HttpResponseHeaders headers, string key) =>
        headers.TryGetValues(key, out IEnumerable<string>? values) ? string.Join(",", values) : null;
}
