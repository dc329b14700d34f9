using Grpc.Core;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Requests of a stream, read off the body one at a time as the handler asks.</summary>
internal sealed class ServerStreamReader<T>(ServerCall call, Marshaller<T> marshaller) : IAsyncStreamReader<T>
    where T : class
{
    private T? _current;

    public T Current => _current ?? throw new InvalidOperationException("No current message: MoveNext has not brought one.");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        _current = null;
        _current = await call.ReadAsync(marshaller, cancellationToken);
        return _current is not null;
    }
}

/// <summary>Responses of a stream. A write ends when Kestrel has taken it, which waits for the client's window.</summary>
internal sealed class ServerStreamWriter<T>(ServerCall call, Marshaller<T> marshaller) : IServerStreamWriter<T>
    where T : class
{
    public WriteOptions? WriteOptions
    {
        get => call.WriteOptions;
        set => call.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(T message, CancellationToken cancellationToken) =>
        call.WriteAsync(marshaller, message, flush: true, cancellationToken);
}
