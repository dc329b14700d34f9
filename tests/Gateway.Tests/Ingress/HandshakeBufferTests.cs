using Aggregator.Gateway.Ingress;
using Aggregator.Relay;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Xunit;

namespace Aggregator.Gateway.Tests.Ingress;

public sealed class HandshakeBufferTests
{
    /// <summary>Whatever is read and consumed in whatever pieces: the unread bytes are the next of the stream, never more than the bound.</summary>
    [Fact]
    public void Bytes_come_out_in_order_and_within_the_bound()
    {
        var cases = from max in Gen.Choose(1, 3000)
                    from reads in Gen.Choose(1, 900).ArrayOf(20)
                    from consumes in Gen.Choose(0, 900).ArrayOf(20)
                    select (max, reads, consumes);
        Prop.ForAll(cases.ToArbitrary(), x =>
        {
            using var buffer = new HandshakeBuffer(x.max);
            var stream = new Counting(x.reads);
            int expected = 0;
            for (int i = 0; i < x.reads.Length; i++)
            {
                int before = buffer.Unread.Length;
                FillResult result = buffer.FillAsync(stream, CancellationToken.None).AsTask().GetAwaiter().GetResult();
                result.ShouldBe(before >= x.max ? FillResult.Full : FillResult.Filled);
                buffer.Unread.Length.ShouldBeInRange(before, x.max);
                int next = expected;
                foreach (byte b in buffer.Unread.Span)
                {
                    b.ShouldBe((byte)next++);
                }
                int consume = Math.Min(x.consumes[i], buffer.Unread.Length);
                buffer.Consume(consume);
                expected += consume;
            }
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>0, 1, 2, … in reads of given sizes.</summary>
    private sealed class Counting(int[] sizes) : IByteStream
    {
        private int _next;
        private int _read;

        public ValueTask WaitToReadAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            int count = Math.Min(buffer.Length, sizes[_read++ % sizes.Length]);
            count.ShouldBeGreaterThan(0);
            for (int i = 0; i < count; i++)
            {
                buffer.Span[i] = (byte)_next++;
            }
            return new(count);
        }

        public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public void Abort()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
