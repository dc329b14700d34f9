using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.AspNetCore.Server.Internal;

internal sealed partial class ServerCall
{
    /// <summary>HTTP/2's NO_ERROR (RFC 9113, 7): the answer is complete, the rest of the request is not wanted.</summary>
    private const int NoError = 0;

    /// <summary>For the handler to look at; what counts is the time since the call began, whatever the wall clock is set to meanwhile.</summary>
    private DateTime _deadline = DateTime.MaxValue;
    private TimeSpan _timeout;
    private long _startedAt;
    private CancellationToken _token;
    private CancellationTokenSource? _deadlineSource;
    private ITimer? _deadlineTimer;
    private Task _expiry = Task.CompletedTask;

    private void StartDeadline()
    {
        if (Http.Request.Headers[GrpcProtocol.Timeout] is not [{ } text])
        {
            return;
        }

        if (!GrpcTimeout.TryDecode(text, out TimeSpan timeout))
        {
            throw GrpcErrors.BadTimeout();
        }

        DateTime now = _server.Time.GetUtcNow().UtcDateTime;
        _deadline = timeout < DateTime.MaxValue - now ? now + timeout : DateTime.MaxValue;
        (_timeout, _startedAt) = (timeout, _server.Time.GetTimestamp());
        _deadlineSource = CancellationTokenSource.CreateLinkedTokenSource(Http.RequestAborted);
        _token = _deadlineSource.Token;
        _deadlineTimer = _server.Time.CreateTimer(
            static state => ((ServerCall)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _deadlineTimer.Change(GrpcProtocol.TimerFor(timeout), Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        TimeSpan left = _timeout - _server.Time.GetElapsedTime(_startedAt);
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            if (left > TimeSpan.Zero)
            {
                _deadlineTimer?.Change(GrpcProtocol.TimerFor(left), Timeout.InfiniteTimeSpan);
                return;
            }

            _ended = true;
            _expiry = ExpireAsync();
        }
    }

    /// <summary>Tells the client at once; the handler hears it through its token and may take its time.</summary>
    private async Task ExpireAsync()
    {
        await Task.Yield();
        _server.Log.DeadlinePassed(Method);
        try
        {
            await _deadlineSource!.CancelAsync();
            await SendStatusAsync(new Status(StatusCode.DeadlineExceeded, "Deadline Exceeded"), []);
            await Http.Response.CompleteAsync();
            Http.Features.Get<IHttpResetFeature>()?.Reset(NoError);
        }
        catch (Exception e)
        {
            _server.Log.StatusNotSent(e, Method);
        }
    }

    private async Task StopDeadlineAsync()
    {
        if (_deadlineTimer is { } timer)
        {
            await timer.DisposeAsync();
            await _expiry;
            _deadlineSource!.Dispose();
        }
    }
}
