using System.IO.Pipelines;
using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Relay;

namespace Aggregator.Network.Tests.Ingress;

/// <summary>Keeps what goes up, and answers "refused" when told to.</summary>
internal sealed class WaitingCarrier(Task answer) : ICarrier
{
    private readonly Pipe _upstream = new();

    public string Name => "waiting";

    public async ValueTask<CarriedFlow> OpenAsync(FlowTarget target, ReadOnlyMemory<byte> firstBytes, CancellationToken cancellationToken)
    {
        await _upstream.Writer.WriteAsync(firstBytes, cancellationToken);
        return new CarriedFlow(new Upstream(_upstream.Writer), AnswerAsync());
    }

    internal async Task<byte[]> ReadUpstreamAsync(int count, CancellationToken cancellationToken)
    {
        ReadResult read = await _upstream.Reader.ReadAtLeastAsync(count, cancellationToken);
        return System.Buffers.BuffersExtensions.ToArray(read.Buffer);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<OpenReply> AnswerAsync()
    {
        await answer;
        return new OpenReply(OpenResult.Refused, null);
    }

    private sealed class Upstream(PipeWriter writer) : IByteStream
    {
        public ValueTask WaitToReadAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("read before the answer");

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => throw new InvalidOperationException("read before the answer");

        public async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) => await writer.WriteAsync(buffer, cancellationToken);

        public ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => writer.CompleteAsync();

        public void Abort()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
