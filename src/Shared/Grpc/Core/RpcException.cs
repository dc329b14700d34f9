namespace Grpc.Core;

/// <summary>
/// A call that did not end with OK. A handler throws it to set status and trailers; a client gets it from every
/// operation of a failed call.
/// </summary>
public class RpcException : Exception
{
    public RpcException(Status status)
        : this(status, Metadata.Empty, status.ToString())
    {
    }

    /// <summary><paramref name="message"/> is not sent; <see cref="Status.Detail"/> is.</summary>
    public RpcException(Status status, string message)
        : this(status, Metadata.Empty, message)
    {
    }

    public RpcException(Status status, Metadata trailers)
        : this(status, trailers, status.ToString())
    {
    }

    /// <summary><paramref name="message"/> is not sent; <see cref="Status.Detail"/> is.</summary>
    public RpcException(Status status, Metadata trailers, string message)
        : base(message)
    {
        ArgumentNullException.ThrowIfNull(trailers);
        Status = status;
        Trailers = trailers;
    }

    public Status Status { get; }

    public StatusCode StatusCode => Status.StatusCode;

    public Metadata Trailers { get; }
}
