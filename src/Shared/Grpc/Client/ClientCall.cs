using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// One call of a client. <see cref="End"/> is called once, by whoever is first: the trailers, an error, the caller's
/// cancellation, the deadline. It cancels what is still under way, which makes the handler send RST_STREAM(CANCEL).
/// </summary>
[SuppressMessage("Usage", "CA2213", Justification = "Nothing in the source needs disposal, and late operations look at its token.")]
internal sealed partial class ClientCall<TRequest, TResponse> : IDisposable
    where TRequest : class
    where TResponse : class
{
    private readonly GrpcChannel _channel;
    private readonly Method<TRequest, TResponse> _method;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _cancellation = new();
    private readonly TaskCompletionSource<Metadata> _headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<MessageReader?> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenRegistration _callerCancels;
    private ITimer? _deadlineTimer;
    private TimeSpan _timeout;
    private long _startedAt;
    private HttpResponseMessage? _response;
    private bool _ended;
    private Status _status;
    private Metadata _trailers = Metadata.Empty;

    public ClientCall(GrpcChannel channel, Method<TRequest, TResponse> method, CallOptions options)
    {
        if (options.Deadline is { Kind: not DateTimeKind.Utc } deadline && deadline != DateTime.MaxValue && deadline != DateTime.MinValue)
        {
            throw new InvalidOperationException("Deadline must have a kind DateTimeKind.Utc or be equal to DateTime.MaxValue or DateTime.MinValue.");
        }

        _channel = channel;
        _method = method;
        Options = options;
    }

    public CallOptions Options { get; }

    public Task<Metadata> HeadersAsync => _headers.Task;

    private static TimeProvider Time => TimeProvider.System;

    public Status GetStatus()
    {
        lock (_gate)
        {
            return _ended ? _status : throw new InvalidOperationException("Unable to get the status because the call is not complete.");
        }
    }

    public Metadata GetTrailers()
    {
        lock (_gate)
        {
            return _ended ? _trailers : throw new InvalidOperationException("Can't get the call trailers because the call is not complete.");
        }
    }

    public void Cancel() => End(new Status(StatusCode.Cancelled, "Call canceled by the client."));

    public void Dispose() => End(new Status(StatusCode.Cancelled, "gRPC call disposed."));

    private void End(Status status, Metadata? trailers = null)
    {
        HttpResponseMessage? response;
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            _ended = true;
            _status = status;
            _trailers = trailers ?? Metadata.Empty;
            response = _response;
        }

        _callerCancels.Unregister();
        _deadlineTimer?.Dispose();
        _channel.Remove(this);
        _cancellation.Cancel();
        response?.Dispose();
        _opened.TrySetResult(null);
        if (_headers.TrySetException(Failure()))
        {
            // Nobody has to look at the headers of a failed call.
            _ = _headers.Task.Exception;
        }

        _end.TrySetResult();
    }

    /// <summary>The exception of an ended call, new for each thrower.</summary>
    private Exception Failure()
    {
        lock (_gate)
        {
            bool cancelled = _status.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded;
            var failure = new RpcException(_status, _trailers);
            return cancelled && _channel.Options.ThrowOperationCanceledOnCancellation
                ? new OperationCanceledException(_status.Detail, failure, Options.CancellationToken)
                : failure;
        }
    }

    /// <summary>From here on the steady clock counts: a deadline is a time to wait, whatever the wall clock is set to meanwhile.</summary>
    private void StartTimer(DateTime deadline)
    {
        (_timeout, _startedAt) = (deadline - Time.GetUtcNow().UtcDateTime, Time.GetTimestamp());
        _deadlineTimer = Time.CreateTimer(
            static state => ((ClientCall<TRequest, TResponse>)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _deadlineTimer.Change(GrpcProtocol.TimerFor(_timeout), Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        TimeSpan left = _timeout - Time.GetElapsedTime(_startedAt);
        if (left > TimeSpan.Zero)
        {
            _deadlineTimer!.Change(GrpcProtocol.TimerFor(left), Timeout.InfiniteTimeSpan);
        }
        else
        {
            EndByDeadline();
        }
    }

    private void EndByDeadline() => End(new Status(StatusCode.DeadlineExceeded, "Deadline Exceeded"));
}
