using System.Buffers;
using System.IO.Compression;

namespace Grpc.Wire;

/// <summary>The one compression that every gRPC implementation has.</summary>
internal static class GZip
{
    /// <summary>How much is inflated before the limit is looked at again.</summary>
    private const int StepBytes = 16 * 1024;

    /// <summary>Appends the compressed form.</summary>
    public static void Compress(ReadOnlySpan<byte> message, PooledBytes destination, CompressionLevel level)
    {
        using var sink = new WriterStream(destination);
        using var gzip = new GZipStream(sink, level);
        gzip.Write(message);
    }

    /// <summary>Inflates no further than one step past the limit, however much there would be.</summary>
    public static PooledBytes Inflate(byte[] compressed, int length, int? maxBytes)
    {
        int limit = maxBytes ?? Array.MaxLength;
        var inflated = new PooledBytes(StepBytes);
        try
        {
            using var gzip = new GZipStream(new MemoryStream(compressed, 0, length, writable: false), CompressionMode.Decompress);
            while (true)
            {
                int read = gzip.Read(inflated.GetSpan(StepBytes)[..StepBytes]);
                if (read == 0)
                {
                    return inflated;
                }

                inflated.Advance(read);
                if (inflated.Length > limit)
                {
                    throw GrpcErrors.InflatedTooLarge(limit);
                }
            }
        }
        catch (InvalidDataException)
        {
            inflated.Dispose();
            throw GrpcErrors.BadGZip();
        }
        catch
        {
            inflated.Dispose();
            throw;
        }
    }

    private sealed class WriterStream(IBufferWriter<byte> writer) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => writer.Write(buffer);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
