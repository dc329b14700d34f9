using Aggregator.Flows;
using Aggregator.Gateway.Carriers;
using Aggregator.Relay;

namespace Aggregator.Gateway.Ingress;

/// <summary>
/// A carried flow whose answer is still to come, as a stream: writes go through at once, the first wait for bytes waits for the answer too,
/// and an answer other than Opened is an error of the stream. The relay above needs to know nothing of it.
/// </summary>
internal sealed class OpeningStream(IByteStream inner, Task<OpenReply> opened) : IByteStream
{
    private bool _isOpen;

    public ValueTask WaitToReadAsync(CancellationToken cancellationToken) =>
        _isOpen ? inner.WaitToReadAsync(cancellationToken) : WaitForAnswerAsync(cancellationToken);

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
        _isOpen ? inner.ReadAsync(buffer, cancellationToken) : throw new InvalidOperationException("WaitToReadAsync comes first.");

    public ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken) => inner.WriteAsync(buffer, cancellationToken);

    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => inner.CompleteWritesAsync(cancellationToken);

    public void Abort() => inner.Abort();

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private async ValueTask WaitForAnswerAsync(CancellationToken cancellationToken)
    {
        OpenReply reply = await opened.WaitAsync(cancellationToken);
        if (reply.Result != OpenResult.Opened)
        {
            throw new IOException($"The flow was not opened: {reply.Result}.");
        }
        _isOpen = true;
        await inner.WaitToReadAsync(cancellationToken);
    }
}
