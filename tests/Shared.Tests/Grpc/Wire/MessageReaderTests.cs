using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Pipelines;
using FsCheck;
using FsCheck.Fluent;
using Grpc.Core;
using Grpc.Wire;
using Shouldly;
using Xunit;

namespace Aggregator.Shared.Tests.Rpc;

/// <summary>Properties of the message reader: any bytes, cut in any way.</summary>
public sealed class MessageReaderTests
{
    private const int Limit = 100_000;

    private static Func<DeserializationContext, byte[]> Bytes { get; } = context =>
    {
        byte[] copy = context.PayloadAsNewBuffer();
        copy.Length.ShouldBe(context.PayloadLength);
        context.PayloadAsReadOnlySequence().ToArray().ShouldBe(copy);
        return copy;
    };

    [Fact]
    public void What_was_written_is_read_however_it_was_cut_and_compressed()
    {
        Gen<(byte[][] Messages, bool[] Compressed, int[] Cuts)> cases =
            from count in Gen.Choose(0, 6)
            from sizes in Gen.ArrayOf(Gen.OneOf(Gen.Choose(0, 20), Gen.Choose(0, 60_000)), count)
            from compressed in Gen.ArrayOf(ArbMap.Default.GeneratorFor<bool>(), count)
            from seed in Gen.Choose(0, int.MaxValue)
            from cuts in Gen.ArrayOf(Gen.OneOf(Gen.Choose(1, 7), Gen.Choose(1, 30_000)), 12)
            select (sizes.Select((size, i) => Content(size, seed + i)).ToArray(), compressed, cuts);
        Prop.ForAll(cases.ToArbitrary(), sample =>
        {
            var stream = new List<byte>();
            for (int i = 0; i < sample.Messages.Length; i++)
            {
                using OutgoingMessage frame = OutgoingMessage.Serialize(
                    sample.Messages[i], (message, context) => context.Complete(message), null, sample.Compressed[i] ? CompressionLevel.Fastest : null);
                stream.AddRange(frame.Frame.Span);
            }

            Read([.. stream], sample.Cuts, "gzip").Messages.ShouldBe(sample.Messages);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Any_bytes_give_messages_and_then_an_end_or_a_named_error()
    {
        // Flags and lengths that are near the good ones, so that the reader gets past the first header.
        Gen<byte[]> frames =
            from flag in Gen.Elements<byte>(0, 0, 0, 1, 2, 255)
            from size in Gen.Choose(0, 40)
            from lie in Gen.Elements(0u, 0u, 0u, 1u, 5u, 1000u, (uint)Limit, uint.MaxValue - 100)
            from payload in Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), size)
            select RawCall.Frame(payload, flag, (uint)size + lie);
        Gen<byte[]> streams = Gen.OneOf(
            ArbMap.Default.GeneratorFor<byte[]>(), frames.ListOf().Select(list => list.SelectMany(frame => frame).ToArray()));
        Gen<(byte[] Stream, int[] Cuts, string? Encoding)> cases =
            from stream in streams
            from cuts in Gen.ArrayOf(Gen.Choose(1, 50), 10)
            from encoding in Gen.Elements<string?>("gzip", "identity", "snappy", null)
            select (stream, cuts, encoding);
        Prop.ForAll(cases.ToArbitrary(), sample =>
        {
            (byte[][] messages, RpcException? error) = Read(sample.Stream, sample.Cuts, sample.Encoding);
            error?.StatusCode.ShouldBeOneOf(StatusCode.Internal, StatusCode.ResourceExhausted, StatusCode.Unimplemented);
            (byte[][] expected, bool good) = Reference(sample.Stream, sample.Encoding);
            good.ShouldBe(error is null);
            messages.ShouldBe(expected);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task An_announced_length_takes_no_memory_before_the_bytes_come()
    {
        var pipe = new Pipe();
        var reader = new MessageReader(pipe.Reader, int.MaxValue, null);
        await pipe.Writer.WriteAsync(RawCall.Frame([1, 2, 3], length: 1_000_000_000));
        long before = GC.GetAllocatedBytesForCurrentThread();
        ValueTask<byte[]?> read = reader.ReadAsync(Bytes, CancellationToken.None);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(64 * 1024);
        read.IsCompleted.ShouldBeFalse();
        await pipe.Writer.CompleteAsync();
        (await Should.ThrowAsync<RpcException>(() => read.AsTask())).StatusCode.ShouldBe(StatusCode.Internal);
    }

    [Fact]
    public void A_gzip_bomb_is_inflated_no_further_than_the_limit()
    {
        byte[] bomb = RawCall.GZip(new byte[200_000_000]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Should.Throw<RpcException>(() => GZip.Inflate(bomb, bomb.Length, Limit)).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(10 * Limit);
        using PooledBytes whole = GZip.Inflate(RawCall.GZip(new byte[Limit]), RawCall.GZip(new byte[Limit]).Length, Limit);
        whole.Length.ShouldBe(Limit);
    }

    [Fact]
    public async Task A_cancelled_read_can_be_tried_again()
    {
        var pipe = new Pipe();
        var reader = new MessageReader(pipe.Reader, Limit, null);
        byte[] message = Content(50_000, 1);
        byte[] frame = RawCall.Frame(message);
        foreach (Range part in new[] { 0..3, 3..20_000, 20_000..49_999 })
        {
            await pipe.Writer.WriteAsync(frame.AsMemory(part));
            using var source = new CancellationTokenSource();
            ValueTask<byte[]?> read = reader.ReadAsync(Bytes, source.Token);
            read.IsCompleted.ShouldBeFalse();
            await source.CancelAsync();
            await Should.ThrowAsync<OperationCanceledException>(() => read.AsTask());
        }

        await pipe.Writer.WriteAsync(frame.AsMemory(49_999));
        await pipe.Writer.CompleteAsync();
        (await reader.ReadAsync(Bytes, CancellationToken.None)).ShouldBe(message);
        (await reader.ReadAsync(Bytes, CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public void A_marshaller_may_write_as_it_likes_or_fails_by_name()
    {
        byte[] payload = Content(10_000, 3);
        byte[] Frame(Action<byte[], SerializationContext> serializer)
        {
            using OutgoingMessage message = OutgoingMessage.Serialize(payload, serializer, Limit, null);
            return message.Frame.ToArray();
        }

        byte[] expected = RawCall.Frame(payload);
        Frame((bytes, context) => context.Complete(bytes)).ShouldBe(expected);
        Frame((bytes, context) =>
        {
            context.SetPayloadLength(bytes.Length);
            context.GetBufferWriter().Write(bytes);
            context.Complete();
        }).ShouldBe(expected);
        Frame((bytes, context) =>
        {
            foreach (byte b in bytes)
            {
                context.GetBufferWriter().Write([b]);
            }

            context.Complete();
        }).ShouldBe(expected);
        Frame((_, context) => context.Complete()).ShouldBe(RawCall.Frame([]));
        Should.Throw<InvalidOperationException>(() => Frame((_, _) => { }));
        Should.Throw<RpcException>(() => Frame((_, context) => context.SetPayloadLength(Limit + 1)))
            .StatusCode.ShouldBe(StatusCode.ResourceExhausted);
        Should.Throw<RpcException>(() => Frame((_, context) =>
        {
            context.GetBufferWriter().Write(new byte[Limit + 1]);
            context.Complete();
        })).StatusCode.ShouldBe(StatusCode.ResourceExhausted);
    }

    /// <summary>Feeds the stream in pieces of the given sizes (again from the first when they are used up) and reads it all.</summary>
    private static (byte[][] Messages, RpcException? Error) Read(byte[] stream, int[] cuts, string? encoding)
    {
        var reader = new MessageReader(PipeReader.Create(new CutStream(stream, cuts)), Limit, encoding);
        var messages = new List<byte[]>();
        try
        {
            while (reader.ReadAsync(Bytes, CancellationToken.None).AsTask().GetAwaiter().GetResult() is { } message)
            {
                messages.Add(message);
            }

            return ([.. messages], null);
        }
        catch (RpcException e)
        {
            return ([.. messages], e);
        }
    }

    /// <summary>The same by the book, on the whole array. Of compressed messages only the empty one is good here.</summary>
    private static (byte[][] Messages, bool Good) Reference(byte[] stream, string? encoding)
    {
        var messages = new List<byte[]>();
        ReadOnlySpan<byte> rest = stream;
        while (!rest.IsEmpty)
        {
            uint length = rest.Length < 5 ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(rest[1..]);
            bool flagIsGood = rest[0] == 0 || (rest[0] == 1 && length == 0 && encoding == "gzip");
            if (!flagIsGood || length > Limit || length > rest.Length - 5)
            {
                return ([.. messages], false);
            }

            int size = (int)length;
            messages.Add(rest.Slice(5, size).ToArray());
            rest = rest[(5 + size)..];
        }

        return ([.. messages], true);
    }

    private static byte[] Content(int size, int seed)
    {
        byte[] content = new byte[size];
        new Random(seed).NextBytes(content);
        return content;
    }

    private sealed class CutStream(ReadOnlyMemory<byte> data, int[] cuts) : Stream
    {
        private ReadOnlyMemory<byte> _rest = data;
        private int _cut;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            int size = Math.Min(Math.Min(count, cuts[_cut++ % cuts.Length]), _rest.Length);
            _rest[..size].CopyTo(buffer.AsMemory(offset));
            _rest = _rest[size..];
            return size;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
