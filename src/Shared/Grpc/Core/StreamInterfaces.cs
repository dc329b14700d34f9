namespace Grpc.Core;

/// <summary>Messages that come one after the other. One <see cref="MoveNext"/> at a time.</summary>
public interface IAsyncStreamReader<out T>
{
    /// <summary>The message that the last <see cref="MoveNext"/> brought.</summary>
    T Current { get; }

    /// <summary>False: the stream ended well.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}

/// <summary>Messages that go one after the other. One write at a time.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>Used for this and later writes.</summary>
    WriteOptions? WriteOptions { get; set; }

    /// <summary>Ends when the transport has taken the message: a slow peer holds the writer back.</summary>
    Task WriteAsync(T message);

    /// <inheritdoc cref="WriteAsync(T)"/>
    Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            throw new NotSupportedException("This stream's writes cannot be cancelled.");
        }

        return WriteAsync(message);
    }
}

/// <summary>The client's stream.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>No more messages: the server's stream ends.</summary>
    Task CompleteAsync();
}

/// <summary>The server's stream; the handler's return ends it.</summary>
public interface IServerStreamWriter<in T> : IAsyncStreamWriter<T>
{
}
