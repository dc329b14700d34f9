using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>Responses of a stream, read off the body one at a time as the caller asks.</summary>
internal sealed class ClientStreamReader<TRequest, TResponse>(ClientCall<TRequest, TResponse> call) : IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    private TResponse? _current;
    private Task<bool> _pending = Task.FromResult(false);

    public TResponse Current => _current ?? throw new InvalidOperationException("No current message: MoveNext has not brought one.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (!_pending.IsCompleted)
        {
            return Task.FromException<bool>(
                new InvalidOperationException("Can't read the next message because the previous read is still in progress."));
        }

        return _pending = ReadAsync(cancellationToken);
    }

    private async Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        _current = null;

        // Cancelling a read cancels the call.
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), call);
        _current = await call.ReadAsync();
        return _current is not null;
    }
}

/// <summary>Requests of a stream. A write ends when the connection has taken it, which waits for the server's window.</summary>
internal sealed class ClientStreamWriter<TRequest, TResponse>(ClientCall<TRequest, TResponse> call, StreamContent content)
    : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    private readonly Lock _gate = new();
    private Task _pending = Task.CompletedTask;
    private bool _complete;

    public WriteOptions? WriteOptions { get; set; } = call.Options.WriteOptions;

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        lock (_gate)
        {
            return Refusal("write the message") is { } refusal
                ? Task.FromException(refusal)
                : _pending = SendAsync(message, cancellationToken);
        }
    }

    public Task CompleteAsync()
    {
        lock (_gate)
        {
            if (Refusal("complete the stream") is { } refusal)
            {
                return Task.FromException(refusal);
            }

            _complete = true;
        }

        content.Complete();
        return Task.CompletedTask;
    }

    private InvalidOperationException? Refusal(string what) =>
        _complete ? new InvalidOperationException("Request stream has already been completed.")
        : !_pending.IsCompleted ? new InvalidOperationException($"Can't {what} because the previous write is in progress.")
        : null;

    private async Task SendAsync(TRequest message, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            static state => ((ClientCall<TRequest, TResponse>)state!).Cancel(), call);
        await call.WriteAsync(content, message, WriteOptions);
    }
}
